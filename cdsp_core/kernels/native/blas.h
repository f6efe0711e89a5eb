/* Matrix products of row-major arrays by the BLAS that torch carries; its sgemm is handed in as a pointer. */

#pragma once

typedef void (*sgemm_t)(const char *, const char *, const int *, const int *, const int *, const float *, const float *,
                        const int *, const float *, const int *, const float *, float *, const int *);

extern sgemm_t cdsp_sgemm;

/* C[n, p] = A[n, k] B[p, k]^T; ld_b entries between rows of B. */
static inline void times_transposed(const float *a, const float *b, float *c, int n, int k, int p, int ld_b) {
    const float one = 1.0f, zero = 0.0f;
    cdsp_sgemm("T", "N", &p, &n, &k, &one, b, &ld_b, a, &k, &zero, c, &p);
}

/* C[n, p] = A[n, k] B[k, p]; ld_b entries between rows of B. */
static inline void times(const float *a, const float *b, float *c, int n, int k, int p, int ld_b) {
    const float one = 1.0f, zero = 0.0f;
    cdsp_sgemm("N", "N", &p, &n, &k, &one, b, &ld_b, a, &k, &zero, c, &p);
}

/* C[k, p] += A[n, k]^T B[n, p]; ld_c entries between rows of C. */
static inline void add_outer(const float *a, const float *b, float *c, int n, int k, int p, int ld_c) {
    const float one = 1.0f;
    cdsp_sgemm("N", "T", &p, &k, &n, &one, b, &p, a, &k, &one, c, &ld_c);
}

/* C[p, n] = B[k, p]^T A[n, k]^T. */
static inline void both_transposed(const float *a, const float *b, float *c, int n, int k, int p) {
    const float one = 1.0f, zero = 0.0f;
    cdsp_sgemm("T", "T", &n, &p, &k, &one, a, &k, b, &p, &zero, c, &n);
}
