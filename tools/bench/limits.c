/* What the machine can do at most: the W2 chain over 16M floats, fused multiply-adds in registers.

   cc -O3 -march=native -ffast-math -fopenmp limits.c -o limits; ./limits THREADS
   One JSON line a limit, seconds of the median and the fastest of 15. */
#include <stdio.h>
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

#define N (4096L * 4096L)
#define REPEATS 15
static float *a, *b, *c, *d, *out;
static volatile float sink;

/* resident pages, huge ones where the machine has them */
static float *array(float value)
{
    long size = N * 4 + (2L << 20);
    char *p = mmap(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) exit(1);
    float *x = (float *)(((unsigned long)p + (2UL << 20) - 1) & ~((2UL << 20) - 1));
#ifdef MADV_HUGEPAGE
    madvise(x, N * 4, MADV_HUGEPAGE);
#endif
#pragma omp parallel for schedule(static)
    for (long i = 0; i < N; i++) x[i] = value + (float)(i % 7);
    return x;
}

static void chain(void)
{
#pragma omp parallel for simd schedule(static)
    for (long i = 0; i < N; i++) {
        float t = a[i] * b[i] + c[i];
        out[i] = (t > 0 ? t : 0) * d[i] - a[i];
    }
}

static void chain_streamed(void)
{
    const vec zero = {0};
#pragma omp parallel for schedule(static)
    for (long i = 0; i < N; i += LANES) {
        vec x = *(vec *)(a + i);
        vec t = x * *(vec *)(b + i) + *(vec *)(c + i);
        t = (vec)((bits)(t > zero) & (bits)t);
        STREAM(out + i, t * *(vec *)(d + i) - x);
    }
}

#define ROUNDS 4000000L
static void multiply_add(void)
{
#pragma omp parallel
    {
        vec s[16], m, n;
        for (int k = 0; k < LANES; k++) m[k] = 0.999f, n[k] = 0.001f;
        for (int j = 0; j < 16; j++) s[j] = m * (float)j;
        for (long i = 0; i < ROUNDS; i++) {
#pragma GCC unroll 16
            for (int j = 0; j < 16; j++) s[j] = s[j] * m + n;
            __asm__ volatile(""); /* keeps the loop */
        }
        float total = 0;
        for (int j = 0; j < 16; j++) total += s[j][0];
#pragma omp critical
        sink += total;
    }
}

static int order(const void *x, const void *y)
{
    double p = *(const double *)x, q = *(const double *)y;
    return p < q ? -1 : p > q;
}

static void measure(const char *name, void (*f)(void), double units)
{
    double t[REPEATS];
    for (int k = -2; k < REPEATS; k++) {
        double start = omp_get_wtime();
        f();
        if (k >= 0) t[k] = omp_get_wtime() - start;
    }
    qsort(t, REPEATS, sizeof *t, order);
    printf("{\"variant\": \"%s\", \"median_s\": %.9f, \"min_s\": %.9f, \"per_s\": %.6g}\n", name,
           t[REPEATS / 2], t[0], units / t[REPEATS / 2]);
}

int main(int argc, char **argv)
{
    int threads = argc > 1 ? atoi(argv[1]) : 1;
    omp_set_num_threads(threads);
    a = array(1), b = array(2), c = array(-3), d = array(4), out = array(0);
    measure("chain", chain, 20.0 * N);
    measure("chain_streamed", chain_streamed, 20.0 * N);
    measure("multiply_add", multiply_add, 2.0 * 16 * LANES * ROUNDS * threads);
    return 0;
}
