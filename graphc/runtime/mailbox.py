"""The mailboxes of the worker pool: memory layout and LLVM IR of worker loop, region and locks.

Here: the protocol, in compiled code. Not here: the Python threads that run it (`runtime.threads`).
Imported by `runtime.threads` only; imports nothing of graphc.

The protocol. A mailbox carries one job (function, arguments, first index, stride, extent, chunk)
and three counters. The owner of the pool writes a job only after the last one is finished, then
raises `posted`. Whoever raises `claimed` from posted - 1 to posted runs the job: the worker, or the
owner itself when the worker has not woken up by the time the owner's own share is done. A worker
that claimed a job raises `done` to the same number. So no worker can ever see half a job, a late
worker finds its job claimed and goes on waiting, and nobody waits for a sleeping thread.

Chunk k of a step runs on thread k modulo the number of threads (the owner is thread 0), so that
data stays in its core's cache from step to step; boundaries depend on extent and chunk alone.
"""

from __future__ import annotations

import platform

# Words of the pool's header (int64 each).
LOCK, THREADS, ACQUIRE, REGION, START, STOLEN = range(6)
# Mailbox w starts at byte 256 * w of the pool. Its first 128 bytes are written by the owner, the
# other 128 by the worker: pairs of cache lines, because the hardware fetches them in pairs.
MAILBOX_BYTES = 256
_POSTED, _FN, _ARGS, _LO, _STRIDE, _EXTENT, _CHUNK, _STOP, _APART = range(0, 72, 8)
_CLAIMED, _DONE, _ASLEEP, _TID = 128, 136, 144, 152

_FUTEX = {"x86_64": 202, "AMD64": 202, "aarch64": 98}
_GETTID = {"x86_64": 186, "AMD64": 186, "aarch64": 178}
_MASK_BYTES = 128  # of a set of processors, as the C library has it
_PAUSE = {
    "x86_64": ("llvm.x86.sse2.pause()", "llvm.x86.sse2.pause()"),
    "aarch64": ("llvm.aarch64.hint(i32)", "llvm.aarch64.hint(i32 1)"),
}


def _mailbox_words(prefix: str, base: str) -> str:
    words = {
        "posted": _POSTED, "fn": _FN, "args": _ARGS, "lo": _LO, "stride": _STRIDE,
        "extent": _EXTENT, "chunk": _CHUNK, "stop": _STOP,
        "apart": _APART, "claimed": _CLAIMED, "done": _DONE, "asleep": _ASLEEP, "tid": _TID,
    }  # fmt: skip
    return "\n".join(
        f"  %{prefix}{name} = getelementptr i8, ptr {base}, i64 {offset}"
        for name, offset in words.items()
    )


_CHUNKS = """
define private void @chunks(ptr %fn, ptr %args, i64 %lo, i64 %stride, i64 %extent, i64 %chunk) {
entry:
  %any = icmp slt i64 %lo, %extent
  br i1 %any, label %loop, label %exit
loop:
  %i = phi i64 [%lo, %entry], [%next, %loop]
  %end = add i64 %i, %chunk
  %hi = call i64 @llvm.smin.i64(i64 %end, i64 %extent)
  call void %fn(ptr %args, i64 %i, i64 %hi)
  %next = add i64 %i, %stride
  %more = icmp slt i64 %next, %extent
  br i1 %more, label %loop, label %exit
exit:
  ret void
}
declare i64 @llvm.smin.i64(i64, i64)
"""

_WORKER = """
define void @graphc_worker(ptr %box, i64 %spins) {{
entry:
{words}
  %self = call i64 (i64, ...) @syscall(i64 {gettid})
  store atomic i64 %self, ptr %tid release, align 8
  br label %wait
wait:
  %seen = phi i64 [0, %entry], [%job, %claim], [%job, %finish]
  br label %look
look:
  %n = phi i64 [0, %wait], [%n1, %spin], [0, %woken]
  %now = load atomic i64, ptr %posted acquire, align 8
  %fresh = icmp ne i64 %now, %seen
  br i1 %fresh, label %got, label %idle
idle:
  %n1 = add i64 %n, 1
  %spinning = icmp slt i64 %n1, %spins
  br i1 %spinning, label %spin, label %sleep
spin:
  call void @{pause}
  br label %look
sleep:
  store atomic i64 1, ptr %asleep seq_cst, align 8
  %last = load atomic i64, ptr %posted seq_cst, align 8
  %still = icmp eq i64 %last, %seen
  br i1 %still, label %futex, label %woken
futex:
  %f = call i64 (i64, ...) @syscall(i64 {futex}, ptr %asleep, i64 128, i64 1, i64 0, i64 0, i64 0)
  br label %woken
woken:
  store atomic i64 0, ptr %asleep seq_cst, align 8
  br label %look
got:
  %job = phi i64 [%now, %look]
  %halt = load atomic i64, ptr %stop acquire, align 8
  %halted = icmp ne i64 %halt, 0
  br i1 %halted, label %exit, label %claim
claim:
  %before = sub i64 %job, 1
  %swap = cmpxchg ptr %claimed, i64 %before, i64 %job seq_cst acquire
  %mine = extractvalue {{i64, i1}} %swap, 1
  br i1 %mine, label %finish, label %wait
finish:
  %f.v = load ptr, ptr %fn
  %args.v = load ptr, ptr %args
  %lo.v = load i64, ptr %lo
  %stride.v = load i64, ptr %stride
  %extent.v = load i64, ptr %extent
  %chunk.v = load i64, ptr %chunk
  call void @chunks(ptr %f.v, ptr %args.v, i64 %lo.v, i64 %stride.v, i64 %extent.v, i64 %chunk.v)
  store atomic i64 %job, ptr %done release, align 8
  br label %wait
exit:
  ret void
}}
"""

# A worker that had not begun may be waiting for the very processor that its owner runs on, where
# others kept the kernel from giving it another. It may use all but that one then; `apart` is its
# number plus one, so that nothing is done twice.
_APART_IR = """
define private void @move_apart(ptr %apart, ptr %tid) {{
entry:
  %mask = alloca [{mask_words} x i64], align 8
  %cpu = call i32 @sched_getcpu()
  %wide = sext i32 %cpu to i64
  %mark = add i64 %wide, 1
  %old = load i64, ptr %apart
  %same = icmp eq i64 %old, %mark
  %known = icmp ult i64 %wide, {mask_bits}
  %no = xor i1 %known, true
  %stay = or i1 %same, %no
  br i1 %stay, label %exit, label %ask
ask:
  store i64 %mark, ptr %apart
  %got = call i32 @sched_getaffinity(i32 0, i64 {mask_bytes}, ptr %mask)
  %there = icmp eq i32 %got, 0
  br i1 %there, label %clear, label %exit
clear:
  %word = lshr i64 %wide, 6
  %place = and i64 %wide, 63
  %bit = shl i64 1, %place
  %others = xor i64 %bit, -1
  %at = getelementptr i64, ptr %mask, i64 %word
  %before = load i64, ptr %at
  %after = and i64 %before, %others
  store i64 %after, ptr %at
  br label %any
any:
  %i = phi i64 [0, %clear], [%i1, %any]
  %all = phi i64 [0, %clear], [%all1, %any]
  %p = getelementptr i64, ptr %mask, i64 %i
  %v = load i64, ptr %p
  %all1 = or i64 %all, %v
  %i1 = add i64 %i, 1
  %more = icmp slt i64 %i1, {mask_words}
  br i1 %more, label %any, label %decide
decide:
  %some = icmp ne i64 %all1, 0
  br i1 %some, label %move, label %exit
move:
  %t = load atomic i64, ptr %tid acquire, align 8
  %t32 = trunc i64 %t to i32
  %begun = icmp ne i32 %t32, 0
  br i1 %begun, label %set, label %later
set:
  %r = call i32 @sched_setaffinity(i32 %t32, i64 {mask_bytes}, ptr %mask)
  br label %exit
later:
  store i64 0, ptr %apart
  br label %exit
exit:
  ret void
}}
declare i32 @sched_getcpu()
declare i32 @sched_getaffinity(i32, i64, ptr)
declare i32 @sched_setaffinity(i32, i64, ptr)
"""

_REGION = """
define void @graphc_region(ptr %pool, ptr %kernel, ptr %kargs, i64 %size, i64 %step) {{
entry:
  %tp = getelementptr i64, ptr %pool, i64 {threads}
  %t = load i64, ptr %tp
  %round = add i64 %size, %step
  %round1 = sub i64 %round, 1
  %pieces = sdiv i64 %round1, %step
  %active = call i64 @llvm.smin.i64(i64 %t, i64 %pieces)
  %jump = mul i64 %t, %step
  br label %post
post:
  %w = phi i64 [1, %entry], [%w1, %posted.next]
  %some = icmp slt i64 %w, %active
  br i1 %some, label %fill, label %own
fill:
  %at = mul i64 %w, {box}
  %b = getelementptr i8, ptr %pool, i64 %at
{words}
  %first = mul i64 %w, %step
  store ptr %kernel, ptr %fn
  store ptr %kargs, ptr %args
  store i64 %first, ptr %lo
  store i64 %jump, ptr %stride
  store i64 %size, ptr %extent
  store i64 %step, ptr %chunk
  %p = load i64, ptr %posted
  %p1 = add i64 %p, 1
  store atomic i64 %p1, ptr %posted seq_cst, align 8
  %slept = load atomic i64, ptr %asleep seq_cst, align 8
  %wake = icmp eq i64 %slept, 1
  br i1 %wake, label %rouse, label %posted.next
rouse:
  store atomic i64 0, ptr %asleep seq_cst, align 8
  %f = call i64 (i64, ...) @syscall(i64 {futex}, ptr %asleep, i64 129, i64 1, i64 0, i64 0, i64 0)
  br label %posted.next
posted.next:
  %w1 = add i64 %w, 1
  br label %post
own:
  call void @chunks(ptr %kernel, ptr %kargs, i64 0, i64 %jump, i64 %size, i64 %step)
  br label %steal
steal:
  %s = phi i64 [1, %own], [%s1, %steal.next]
  %left = icmp slt i64 %s, %active
  br i1 %left, label %try, label %join
try:
  %s.at = mul i64 %s, {box}
  %s.b = getelementptr i8, ptr %pool, i64 %s.at
{steal_words}
  %s.job = load i64, ptr %s.posted
  %s.now = load atomic i64, ptr %s.claimed acquire, align 8
  %s.free = icmp ne i64 %s.now, %s.job
  br i1 %s.free, label %take, label %steal.next
take:
  %s.before = sub i64 %s.job, 1
  %s.swap = cmpxchg ptr %s.claimed, i64 %s.before, i64 %s.job seq_cst acquire
  %s.mine = extractvalue {{i64, i1}} %s.swap, 1
  br i1 %s.mine, label %stolen, label %steal.next
stolen:
  %s.first = mul i64 %s, %step
  call void @chunks(ptr %kernel, ptr %kargs, i64 %s.first, i64 %jump, i64 %size, i64 %step)
  store i64 %s.job, ptr %s.done
  %count.p = getelementptr i64, ptr %pool, i64 {stolen}
  %count = load i64, ptr %count.p
  %count1 = add i64 %count, 1
  store i64 %count1, ptr %count.p
  call void @move_apart(ptr %s.apart, ptr %s.tid)
  br label %steal.next
steal.next:
  %s1 = add i64 %s, 1
  br label %steal
join:
  %j = phi i64 [1, %steal], [%j1, %joined]
  %open = icmp slt i64 %j, %active
  br i1 %open, label %await, label %exit
await:
  %j.at = mul i64 %j, {box}
  %j.b = getelementptr i8, ptr %pool, i64 %j.at
{join_words}
  %j.job = load i64, ptr %j.posted
  br label %poll
poll:
  %m = phi i64 [0, %await], [%m1, %pause], [%m1, %yield]
  %fin = load atomic i64, ptr %j.done acquire, align 8
  %ready = icmp eq i64 %fin, %j.job
  br i1 %ready, label %joined, label %hold
hold:
  %m1 = add i64 %m, 1
  %brief = icmp slt i64 %m1, {patience}
  br i1 %brief, label %pause, label %yield
pause:
  call void @{pause}
  br label %poll
yield:
  %y = call i32 @sched_yield()
  br label %poll
joined:
  %j1 = add i64 %j, 1
  br label %join
exit:
  ret void
}}
"""

# Returns 1 when the caller now owns a pool of at least two threads. A pool that is not running
# (first use, after set_num_threads, in a forked child) is started by Python code first.
_ACQUIRE = """
define i64 @graphc_acquire(ptr %pool) {{
entry:
  %tp = getelementptr i64, ptr %pool, i64 {threads}
  %t0 = load atomic i64, ptr %tp acquire, align 8
  %cold = icmp eq i64 %t0, 0
  br i1 %cold, label %start, label %check
start:
  %sp = getelementptr i64, ptr %pool, i64 {start}
  %starter = load ptr, ptr %sp
  call void %starter()
  br label %check
check:
  %t1 = load atomic i64, ptr %tp acquire, align 8
  %several = icmp sgt i64 %t1, 1
  br i1 %several, label %lock, label %no
lock:
  %swap = cmpxchg ptr %pool, i64 0, i64 1 acquire monotonic
  %got = extractvalue {{i64, i1}} %swap, 1
  br i1 %got, label %again, label %no
again:
  %t2 = load atomic i64, ptr %tp acquire, align 8
  %same = icmp sgt i64 %t2, 1
  br i1 %same, label %yes, label %undo
undo:
  store atomic i64 0, ptr %pool release, align 8
  br label %no
yes:
  ret i64 1
no:
  ret i64 0
}}
define i64 @graphc_try_lock(ptr %pool) {{
  %swap = cmpxchg ptr %pool, i64 0, i64 1 acquire monotonic
  %got = extractvalue {{i64, i1}} %swap, 1
  %r = zext i1 %got to i64
  ret i64 %r
}}
define void @graphc_unlock(ptr %pool) {{
  store atomic i64 0, ptr %pool release, align 8
  ret void
}}
define void @graphc_stop(ptr %b) {{
{words}
  store atomic i64 1, ptr %stop seq_cst, align 8
  %p = load i64, ptr %posted
  %p1 = add i64 %p, 1
  store atomic i64 %p1, ptr %posted seq_cst, align 8
  store atomic i64 0, ptr %asleep seq_cst, align 8
  %f = call i64 (i64, ...) @syscall(i64 {futex}, ptr %asleep, i64 129, i64 1, i64 0, i64 0, i64 0)
  ret void
}}
define void @graphc_spin(i64 %n) {{
entry:
  br label %loop
loop:
  %i = phi i64 [0, %entry], [%next, %loop]
  call void @{pause}
  %next = add i64 %i, 1
  %more = icmp slt i64 %next, %n
  br i1 %more, label %loop, label %exit
exit:
  ret void
}}
declare i64 @syscall(i64, ...)
declare i32 @sched_yield()
declare void @{pause_type}
"""

SYMBOLS = (
    "graphc_worker", "graphc_region", "graphc_acquire", "graphc_try_lock", "graphc_unlock",
    "graphc_stop", "graphc_spin",
)  # fmt: skip


def pool_ir() -> str:
    """The LLVM IR of worker loop, region and locks for this platform."""
    pause_type, pause = _PAUSE[platform.machine()]
    fields = {
        "pause": pause,
        "pause_type": pause_type,
        "futex": _FUTEX[platform.machine()],
        "gettid": _GETTID[platform.machine()],
        "mask_bits": _MASK_BYTES * 8,
        "mask_bytes": _MASK_BYTES,
        "mask_words": _MASK_BYTES // 8,
        "box": MAILBOX_BYTES,
        "threads": THREADS,
        "start": START,
        "stolen": STOLEN,
        "patience": 2000,
    }
    return _CHUNKS + "".join(
        (
            _WORKER.format(words=_mailbox_words("", "%box"), **fields),
            _APART_IR.format(**fields),
            _REGION.format(
                words=_mailbox_words("", "%b"),
                steal_words=_mailbox_words("s.", "%s.b"),
                join_words=_mailbox_words("j.", "%j.b"),
                **fields,
            ),
            _ACQUIRE.format(words=_mailbox_words("", "%b"), **fields),
        )
    )
