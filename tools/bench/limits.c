/* What the machine can do at most: the W2 chain, and fused multiply-adds in registers.

   A library of peer_limit.py, which names the flags to compile it with. */
#include <stdlib.h>
#include <sys/mman.h>
#include <omp.h>
#if defined(__AVX512F__) || defined(__AVX__)
#include <immintrin.h>
#endif
#if defined(__AVX512F__)
#define LANES 16
#define STREAM(p, v) _mm512_stream_ps(p, (__m512)(v))
#elif defined(__AVX__)
#define LANES 8
#define STREAM(p, v) _mm256_stream_ps(p, (__m256)(v))
#else
#define LANES 4
#define STREAM(p, v) (*(vec *)(p) = (v))
#endif
typedef float vec __attribute__((vector_size(LANES * 4), aligned(4)));
typedef int bits __attribute__((vector_size(LANES * 4), aligned(4)));

static long n;
static float *a, *b, *c, *d, *out;

void use(int threads) { omp_set_num_threads(threads); }

/* resident pages, huge ones where the machine has them */
static float *array(const float *from)
{
    long size = n * 4 + (2L << 20);
    char *p = mmap(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) abort();
    float *x = (float *)(((unsigned long)p + (2UL << 20) - 1) & ~((2UL << 20) - 1));
#ifdef MADV_HUGEPAGE
    madvise(x, n * 4, MADV_HUGEPAGE);
#endif
#pragma omp parallel for schedule(static)
    for (long i = 0; i < n; i++) x[i] = from[i];
    return x;
}

/* copies the operands once; where the results will be. A length of whole vectors. */
float *fill(long length, const float *p, const float *q, const float *r, const float *s)
{
    if (!out) {
        n = length;
        a = array(p), b = array(q), c = array(r), d = array(s), out = array(p);
    }
    return out;
}

void chain(void)
{
#pragma omp parallel for simd schedule(static)
    for (long i = 0; i < n; i++) {
        float t = a[i] * b[i] + c[i];
        out[i] = (t > 0 ? t : 0) * d[i] - a[i];
    }
}

void chain_streamed(void)
{
    const vec zero = {0};
#pragma omp parallel for schedule(static)
    for (long i = 0; i < n; i += LANES) {
        vec x = *(vec *)(a + i);
        vec t = x * *(vec *)(b + i) + *(vec *)(c + i);
        t = (vec)((bits)(t > zero) & (bits)t);
        STREAM(out + i, t * *(vec *)(d + i) - x);
    }
}

#define ROUNDS 4000000L
double operations(void) { return 2.0 * 16 * LANES * ROUNDS * omp_get_max_threads(); }

/* the mean of all sums: each comes to 1 */
double multiply_add(void)
{
    double sum = 0;
    long parts = 0;
#pragma omp parallel
    {
        vec s[16], m, t;
        for (int k = 0; k < LANES; k++) m[k] = 0.999f, t[k] = 0.001f;
        for (int j = 0; j < 16; j++) s[j] = m * (float)j;
        for (long i = 0; i < ROUNDS; i++) {
#pragma GCC unroll 16
            for (int j = 0; j < 16; j++) s[j] = s[j] * m + t;
            __asm__ volatile(""); /* keeps the loop */
        }
#pragma omp critical
        for (int j = 0; j < 16; j++) sum += s[j][0], parts++;
    }
    return sum / parts;
}
