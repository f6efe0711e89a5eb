/* The sorted path on the CPU, forward and backward, in one pass over the tokens of each expert.

   Shapes: T tokens, D model width, E experts, K chosen, M = T K assignments, r rank quota, N = 2 D.
   All arrays are contiguous float32 or int64. `weight` is [E, r, N]: a dimension's row of U^T, then its row of V.

   Assignments are ordered by expert (counting sort, stable) and cut into chunks of one expert, small enough to stay
   in the cache through the two products and the activation between them. Chunks are dealt to threads in equal
   consecutive shares, so the order of every sum is fixed by the number of threads. */

#include <omp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "blas.h"
#include "vector_math.h"

enum { CHUNK_ROWS = 256 };

typedef struct {
    int64_t expert, first, rows;
} chunk_t;

/* Cut `rows` of expert groups into as few chunks as can be, of a group all nearly as long: sgemm is slow at a few rows.
   Returns how many. `chunks` holds M / CHUNK_ROWS + E. */
static int64_t cut(const int64_t *count, int64_t experts, chunk_t *chunks) {
    int64_t n = 0, first = 0;
    for (int64_t e = 0; e < experts; first += count[e++]) {
        const int64_t parts = (count[e] + CHUNK_ROWS - 1) / CHUNK_ROWS;
        for (int64_t i = 0; i < parts; i++) {
            const int64_t from = count[e] * i / parts, to = count[e] * (i + 1) / parts;
            chunks[n++] = (chunk_t){e, first + from, to - from};
        }
    }
    return n;
}

/* order[m] is the m-th assignment (token K + slot) by expert; place is its inverse; count[e] the group sizes.
   `next` holds E + 1 zeros. */
static void sort_by_expert(const int64_t *expert, int64_t assignments, int64_t experts, int64_t *next, int64_t *order,
                           int64_t *place, int64_t *count) {
    for (int64_t m = 0; m < assignments; m++) next[expert[m] + 1]++;
    for (int64_t e = 0; e < experts; e++) {
        count[e] = next[e + 1];
        next[e + 1] += next[e];
    }
    for (int64_t m = 0; m < assignments; m++) {
        place[m] = next[expert[m]]++;
        order[place[m]] = m;
    }
}

static void gather(const float *x, const int64_t *order, int64_t rows, int64_t top_k, int64_t width, float *out) {
    for (int64_t i = 0; i < rows; i++) memcpy(out + i * width, x + order[i] / top_k * width, width * sizeof(float));
}

/* out[t] = sum of the rows of token t's K assignments. */
static void combine(const float *rows, const int64_t *place, int64_t tokens, int64_t top_k, int64_t width, float *out,
                    int threads) {
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t t = 0; t < tokens; t++) {
        float *sum = out + t * width;
        memcpy(sum, rows + place[t * top_k] * width, width * sizeof *sum);
        for (int64_t k = 1; k < top_k; k++) {
            const float *row = rows + place[t * top_k + k] * width;
            for (int64_t d = 0; d < width; d++) sum[d] += row[d];
        }
    }
}

/* U and V of every expert apart, [E, 2, padded, D]; `out` holds zeros, which stay after the rank. */
static void pack(const float *weight, int64_t experts, int64_t rank, int64_t padded, int64_t width, float *out) {
    for (int64_t e = 0; e < experts; e++)
        for (int64_t i = 0; i < rank; i++, weight += 2 * width) {
            memcpy(out + ((2 * e) * padded + i) * width, weight, width * sizeof *out);
            memcpy(out + ((2 * e + 1) * padded + i) * width, weight + width, width * sizeof *out);
        }
}

/* The reverse of `pack`, summed over the threads' parts, each [E, 2, padded, D]. */
static void unpack_sum(const float *parts, int threads, int64_t experts, int64_t rank, int64_t padded, int64_t width,
                       float *weight) {
    const int64_t part = experts * 2 * padded * width;
    for (int64_t e = 0; e < experts; e++)
        for (int64_t i = 0; i < rank; i++)
            for (int64_t side = 0; side < 2; side++, weight += width) {
                const float *row = parts + ((2 * e + side) * padded + i) * width;
                memcpy(weight, row, width * sizeof *row);
                for (int64_t k = 1; k < threads; k++)
                    for (int64_t d = 0; d < width; d++) weight[d] += row[k * part + d];
            }
}

/* y[T, D] = sum over the token's experts of gate strength silu(x U_e^T) V_e. Keeps pre [M, padded], order, place [M],
   count [E] for the backward pass; `scratch` is [M, D]. `padded` is the rank, rounded up to what sgemm is quick at.
   Returns 1, and has written nothing, when there is no memory to work in; otherwise 0. */
int cdsp_forward(const float *x, const float *gate, const int64_t *expert, const float *strength, const float *weight,
                 int64_t tokens, int64_t top_k, int64_t experts, int64_t width, int64_t rank, int64_t padded, float *y,
                 float *pre, int64_t *order, int64_t *place, int64_t *count, float *scratch, int threads) {
    const int64_t assignments = tokens * top_k, of_thread = CHUNK_ROWS * (width + padded);
    int64_t *next = calloc(experts + 1, sizeof *next);
    chunk_t *chunks = malloc((assignments / CHUNK_ROWS + experts) * sizeof *chunks);
    float *uv = calloc(experts * 2 * padded * width, sizeof *uv), *room = malloc(threads * of_thread * sizeof *room);
    const int no_memory = !next || !chunks || !uv || !room;
    if (no_memory) goto end;
    sort_by_expert(expert, assignments, experts, next, order, place, count);
    const int64_t n = cut(count, experts, chunks);
    pack(weight, experts, rank, padded, width, uv);
#pragma omp parallel num_threads(threads)
    {
        float *rows = room + omp_get_thread_num() * of_thread, *hidden = rows + CHUNK_ROWS * width;
#pragma omp for schedule(static)
        for (int64_t c = 0; c < n; c++) {
            const chunk_t at = chunks[c];
            const float *u = uv + at.expert * 2 * padded * width, *v = u + padded * width;
            float *pre_c = pre + at.first * padded;
            gather(x, order + at.first, at.rows, top_k, width, rows);
            times_transposed(rows, u, pre_c, at.rows, width, padded, width);
            for (int64_t i = 0; i < at.rows; i++) {
                const float scale = gate[order[at.first + i]] * strength[at.expert];
                const float *p = pre_c + i * padded;
                float *h = hidden + i * padded;
#pragma omp simd
                for (int64_t j = 0; j < padded; j++) h[j] = p[j] * sigmoid(p[j]) * scale;
            }
            times(hidden, v, scratch + at.first * width, at.rows, padded, width, width);
        }
    }
    combine(scratch, place, tokens, top_k, width, y, threads);
end:
    free(next);
    free(chunks);
    free(uv);
    free(room);
    return no_memory;
}

/* Gradients of x, gate, strength and weight (dense [E, r, N], zero for experts without tokens).
   Returns 1, and has written nothing, when there is no memory to work in; otherwise 0. */
int cdsp_backward(const float *dy, const float *x, const float *gate, const float *strength, const float *weight,
                  const float *pre, const int64_t *order, const int64_t *place, const int64_t *count, int64_t tokens,
                  int64_t top_k, int64_t experts, int64_t width, int64_t rank, int64_t padded, float *dx, float *dgate,
                  float *dstrength, float *dweight, float *scratch, int threads) {
    const int64_t assignments = tokens * top_k, weights = experts * 2 * padded * width;
    const int64_t of_thread = CHUNK_ROWS * 2 * (width + padded);
    chunk_t *chunks = malloc((assignments / CHUNK_ROWS + experts) * sizeof *chunks);
    float *uv = calloc(weights, sizeof *uv), *partial = calloc(threads * weights, sizeof *partial);
    float *room = malloc(threads * of_thread * sizeof *room);
    const int no_memory = !chunks || !uv || !partial || !room;
    if (no_memory) goto end;
    const int64_t n = cut(count, experts, chunks);
    pack(weight, experts, rank, padded, width, uv);
#pragma omp parallel num_threads(threads)
    {
        float *duv = partial + omp_get_thread_num() * weights;
        float *rows = room + omp_get_thread_num() * of_thread, *grad = rows + CHUNK_ROWS * width;
        float *hidden = grad + CHUNK_ROWS * width, *slope = hidden + CHUNK_ROWS * padded;
#pragma omp for schedule(static)
        for (int64_t c = 0; c < n; c++) {
            const chunk_t at = chunks[c];
            const float *u = uv + at.expert * 2 * padded * width, *v = u + padded * width;
            float *du = duv + at.expert * 2 * padded * width, *dv = du + padded * width;
            const float *pre_c = pre + at.first * padded;
            gather(x, order + at.first, at.rows, top_k, width, rows);
            gather(dy, order + at.first, at.rows, top_k, width, grad);
            times_transposed(grad, v, slope, at.rows, width, padded, width);
            for (int64_t i = 0; i < at.rows; i++) {
                const float scale = gate[order[at.first + i]] * strength[at.expert];
                const float *p = pre_c + i * padded;
                float *h = hidden + i * padded, *s = slope + i * padded, through = 0.0f;
#pragma omp simd reduction(+ : through)
                for (int64_t j = 0; j < padded; j++) {
                    const float open = sigmoid(p[j]), active = p[j] * open;
                    through += s[j] * active;
                    h[j] = active * scale;
                    s[j] *= scale * (open + active * (1.0f - open));
                }
                dgate[order[at.first + i]] = through;
            }
            add_outer(hidden, grad, dv, at.rows, padded, width, width);
            add_outer(slope, rows, du, at.rows, padded, width, width);
            times(slope, u, scratch + at.first * width, at.rows, padded, width, width);
        }
    }
    unpack_sum(partial, threads, experts, rank, padded, width, dweight);
    combine(scratch, place, tokens, top_k, width, dx, threads);
    for (int64_t e = 0, m = 0; e < experts; e++) {
        float sum = 0.0f;
        for (int64_t end = m + count[e]; m < end; m++) {
            sum += dgate[order[m]] * gate[order[m]];
            dgate[order[m]] *= strength[e];
        }
        dstrength[e] = sum;
    }
end:
    free(chunks);
    free(uv);
    free(partial);
    free(room);
    return no_memory;
}
