/* RMSNorm, forward and backward. Shapes: T rows, D width; all arrays are contiguous float32. */

#include <math.h>
#include <omp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* y[T, D] = x scale weight, with scale[T] = 1 / sqrt(mean of x^2 + eps), which the backward pass needs. */
void cdsp_norm_forward(const float *restrict x, const float *restrict weight, const float *eps, float *restrict y,
                       float *restrict scale, int64_t rows, int64_t width, int threads) {
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t t = 0; t < rows; t++) {
        const float *in = x + t * width;
        float *out = y + t * width, square = 0.0f;
#pragma omp simd reduction(+ : square)
        for (int64_t d = 0; d < width; d++) square += in[d] * in[d];
        const float by = 1.0f / sqrtf(square / width + *eps);
#pragma omp simd
        for (int64_t d = 0; d < width; d++) out[d] = in[d] * by * weight[d];
        scale[t] = by;
    }
}

/* With unit = x scale: dx = scale (dy weight - unit mean(dy weight unit)), dweight = sum over rows of dy unit.
   A thread adds up its own consecutive rows; their sums are added in the order of the threads. */
void cdsp_norm_backward(const float *restrict dy, const float *restrict x, const float *restrict weight,
                        const float *restrict scale, float *restrict dx, float *restrict dweight, int64_t rows,
                        int64_t width, int threads) {
    float *partial = calloc(threads * width, sizeof *partial);
#pragma omp parallel num_threads(threads)
    {
        float *restrict sum = partial + omp_get_thread_num() * width;
#pragma omp for schedule(static)
        for (int64_t t = 0; t < rows; t++) {
            const float *in = x + t * width, *grad = dy + t * width, by = scale[t];
            float *out = dx + t * width, along = 0.0f;
#pragma omp simd reduction(+ : along)
            for (int64_t d = 0; d < width; d++) {
                const float part = grad[d] * in[d] * by;
                sum[d] += part;
                along += part * weight[d];
            }
            along *= by / width;
#pragma omp simd
            for (int64_t d = 0; d < width; d++) out[d] = by * (grad[d] * weight[d] - in[d] * along);
        }
    }
    memcpy(dweight, partial, width * sizeof *dweight);
    for (int64_t k = 1; k < threads; k++)
        for (int64_t d = 0; d < width; d++) dweight[d] += partial[k * width + d];
    free(partial);
}
