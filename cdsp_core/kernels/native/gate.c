/* The router in one pass over the tokens: LayerNorm, product, K largest logits, softmax; forward and backward.

   With n = (x - mean) / std over a group of rows (a token, or all tokens of a sample), v the sample's task vector,
   of_token = (n norm_weight + norm_bias) W_x + bias and of_task = v W_v; weight is W_x above W_v:
   logits = of_token + of_task, or, where the task is mixed in at a share, (1 - mix) z(of_token) + mix z(of_task),
   z being (. - mean) / std over the experts.

   Shapes: B samples, S tokens a sample, T = B S, D model width, Q width of the task vector, E experts, K chosen.
   All arrays are contiguous float32 or int64. Chunks hold whole samples and are dealt to threads in equal consecutive
   shares, so the order of every sum is fixed by the number of threads. */

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "blas.h"
#include "vector_math.h"

enum { CHUNK_ROWS = 128 };

static const float EPS = 1e-5f;

typedef struct {
    int64_t samples, tokens, width, task_width, experts, top_k; /* B, S, D, Q, E, K */
    int64_t group;                                              /* rows normalised together: 1 or S */
    int over_all;                                               /* softmax over all E before choosing */
    float mix;                                                  /* share of the task; below 0: it is added */
} sizes_t;

static int64_t samples_a_chunk(const sizes_t *at) { return at->tokens < CHUNK_ROWS ? CHUNK_ROWS / at->tokens : 1; }

/* A number is above every NaN. */
static inline int above(float a, float b) { return a > b || (b != b && a == a); }

/* The K largest logits of every row and the softmax over them, or over all E; of equal logits the lower index first.
   `logits` is [E, rows]: every loop runs along the rows, so that all of it is vector code. The experts come one after
   the other, sink past those held that they are not above, and push the others down. `held` is [2, K + 1, rows]. */
static void route(const float *restrict logits, int64_t rows, const sizes_t *at, float *restrict held,
                  float *restrict gate, int64_t *restrict expert) {
    const int64_t top_k = at->top_k;
    float *restrict value = held, *restrict index = held + (top_k + 1) * rows;
    float *restrict moving = value + top_k * rows, *restrict moving_index = index + top_k * rows;
    for (int64_t e = 0; e < at->experts; e++) {
        const int64_t full = e < top_k ? e : top_k;
        for (int64_t t = 0; t < rows; t++) {
            moving[t] = logits[e * rows + t];
            moving_index[t] = e;
        }
        for (int64_t k = 0; k < full; k++) {
            float *restrict v = value + k * rows, *restrict i = index + k * rows;
#pragma omp simd
            for (int64_t t = 0; t < rows;
                 t++) { /* one that was pushed has a lower index than e: it stays above equals */
                const float a = moving[t], b = v[t], ai = moving_index[t], bi = i[t];
                const int up = above(a, b) | (ai < e);
                v[t] = up ? a : b;
                i[t] = up ? ai : bi;
                moving[t] = up ? b : a;
                moving_index[t] = up ? bi : ai;
            }
        }
        if (e < top_k) {
            memcpy(value + e * rows, moving, rows * sizeof *value);
            memcpy(index + e * rows, moving_index, rows * sizeof *index);
        }
    }
    memset(moving, 0, rows * sizeof *moving); /* from here on the sum under the softmax */
    for (int64_t e = 0; e < (at->over_all ? at->experts : top_k); e++) {
        const float *restrict v = at->over_all ? logits + e * rows : value + e * rows;
#pragma omp simd
        for (int64_t t = 0; t < rows; t++) moving[t] += exp_(v[t] - value[t]);
    }
    for (int64_t k = top_k - 1; k >= 0; k--)
#pragma omp simd
        for (int64_t t = 0; t < rows; t++) value[k * rows + t] = exp_(value[k * rows + t] - value[t]) / moving[t];
    for (int64_t t = 0; t < rows; t++)
        for (int64_t k = 0; k < top_k; k++) {
            gate[t * top_k + k] = value[k * rows + t];
            expert[t * top_k + k] = (int64_t)index[k * rows + t];
        }
}

/* The gradient of one row's logits, [E]; `logits` has `stride` entries from one expert to the next. */
static void route_backward(const float *dgate, const float *gate, const int64_t *expert, const float *logits,
                           int64_t stride, const sizes_t *at, float *dlogits) {
    float along = 0.0f;
    for (int64_t k = 0; k < at->top_k; k++) along += gate[k] * dgate[k];
    for (int64_t e = 0; e < at->experts; e++) /* gate_e = gate_0 e^(logit_e - logit_0), for every expert */
        dlogits[e] = at->over_all ? -along * gate[0] * exp_(logits[e * stride] - logits[expert[0] * stride]) : 0.0f;
    for (int64_t k = 0; k < at->top_k; k++) dlogits[expert[k]] = gate[k] * (dgate[k] - along);
}

/* n of `count` entries, and its mean and 1 / std. */
static void normalise(const float *x, int64_t count, float *n, float *mean, float *scale) {
    float sum = 0.0f, square = 0.0f;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < count; i++) sum += x[i];
    const float middle = sum / count;
#pragma omp simd reduction(+ : square)
    for (int64_t i = 0; i < count; i++) square += (x[i] - middle) * (x[i] - middle);
    const float by = 1.0f / sqrtf(square / count + EPS);
#pragma omp simd
    for (int64_t i = 0; i < count; i++) n[i] = (x[i] - middle) * by;
    *mean = middle;
    *scale = by;
}

/* dn, the gradient of n, becomes that of x. */
static void normalise_backward(const float *n, float scale, int64_t count, float *dn) {
    float sum = 0.0f, along = 0.0f;
#pragma omp simd reduction(+ : sum, along)
    for (int64_t i = 0; i < count; i++) {
        sum += dn[i];
        along += dn[i] * n[i];
    }
    sum /= count;
    along /= count;
#pragma omp simd
    for (int64_t i = 0; i < count; i++) dn[i] = scale * (dn[i] - sum - n[i] * along);
}

/* norm_weight W_x, [D, E]. */
static void scale_weight(const float *norm_weight, const float *weight, const sizes_t *at, float *scaled) {
    for (int64_t d = 0; d < at->width; d++)
        for (int64_t e = 0; e < at->experts; e++)
            scaled[d * at->experts + e] = norm_weight[d] * weight[d * at->experts + e];
}

/* What is the same for all tokens of a sample, [B, E]: norm_bias W_x + bias + v W_v; or, mixed, z(v W_v), with its
   1 / std in `task_scale` [B] and the rest in `same` [E]. `out` holds zeros. */
static void sample_logits(const float *norm_bias, const float *weight, const float *bias, const float *task,
                          const sizes_t *at, float *same, float *task_scale, float *out) {
    const int64_t experts = at->experts;
    const float *task_weight = weight + at->width * experts;
    float mean;
    memcpy(same, bias, experts * sizeof *same);
    for (int64_t d = 0; d < at->width; d++)
        for (int64_t e = 0; e < experts; e++) same[e] += norm_bias[d] * weight[d * experts + e];
    for (int64_t b = 0; b < at->samples; b++) {
        float *row = out + b * experts;
        if (at->mix < 0.0f) memcpy(row, same, experts * sizeof *same);
        for (int64_t q = 0; q < at->task_width; q++)
            for (int64_t e = 0; e < experts; e++) row[e] += task[b * at->task_width + q] * task_weight[q * experts + e];
        if (at->mix >= 0.0f) normalise(row, experts, row, &mean, task_scale + b);
    }
}

/* Turns of_token into the mixed logits, [E, rows]; `of_sample` is z(of_task) of the chunk's first sample. Keeps 1 / std
   of every row in `scale`; `mean` is [rows]. */
static void mix_in(float *restrict logits, int64_t rows, const sizes_t *at, const float *same, const float *of_sample,
                   float *restrict mean, float *restrict scale) {
    memset(mean, 0, rows * sizeof *mean);
    memset(scale, 0, rows * sizeof *scale);
    for (int64_t e = 0; e < at->experts; e++)
#pragma omp simd
        for (int64_t t = 0; t < rows; t++) {
            logits[e * rows + t] += same[e];
            mean[t] += logits[e * rows + t];
        }
    for (int64_t t = 0; t < rows; t++) mean[t] /= at->experts;
    for (int64_t e = 0; e < at->experts; e++)
#pragma omp simd
        for (int64_t t = 0; t < rows; t++) {
            const float from_mean = logits[e * rows + t] - mean[t];
            scale[t] += from_mean * from_mean;
        }
    for (int64_t t = 0; t < rows; t++) scale[t] = 1.0f / sqrtf(scale[t] / at->experts + EPS);
    for (int64_t e = 0; e < at->experts; e++)
        for (int64_t b = 0; b < rows / at->tokens; b++)
            for (int64_t t = b * at->tokens; t < (b + 1) * at->tokens; t++)
                logits[e * rows + t] = (1.0f - at->mix) * (logits[e * rows + t] - mean[t]) * scale[t] +
                                       at->mix * of_sample[b * at->experts + e];
}

/* A row's gradient of the mixed logits, [E], becomes that of of_token; that of z(of_task) is added to `dsample`. */
static void mix_in_backward(const float *logits, int64_t stride, const float *of_sample, float scale, const sizes_t *at,
                            float *z, float *dlogits, float *dsample) {
    const float of_token = 1.0f - at->mix;
    for (int64_t e = 0; e < at->experts; e++) {
        dsample[e] += at->mix * dlogits[e];
        dlogits[e] *= of_token;
        z[e] = of_token > 0.0f ? (logits[e * stride] - at->mix * of_sample[e]) / of_token : 0.0f;
    }
    normalise_backward(z, scale, at->experts, dlogits);
}

/* gate [T, K], expert [T, K]; keeps logits, of every chunk [E, rows], mean and scale of every group, and where the task
   is mixed in row_scale [T] for the backward pass.
   Returns 1, and has written nothing, when there is no memory to work in; otherwise 0. */
int cdsp_gate_forward(const float *x, const float *norm_weight, const float *norm_bias, const float *weight,
                      const float *bias, const float *task, int64_t samples, int64_t tokens, int64_t width,
                      int64_t task_width, int64_t experts, int64_t top_k, int64_t group, int over_all, float mix,
                      float *gate, int64_t *expert, float *logits, float *mean, float *scale, float *row_scale,
                      int threads) {
    const sizes_t at = {samples, tokens, width, task_width, experts, top_k, group, over_all, mix};
    const int64_t a_chunk = samples_a_chunk(&at), chunks = (samples + a_chunk - 1) / a_chunk;
    const int64_t of_thread = a_chunk * tokens * (width + 2 * (top_k + 1));
    float *scaled = malloc(width * experts * sizeof *scaled), *same = malloc((experts + samples) * sizeof *same);
    float *of_sample = calloc(samples * experts + 1, sizeof *of_sample),
          *room = malloc(threads * of_thread * sizeof *room);
    const int no_memory = !scaled || !same || !of_sample || !room;
    if (no_memory) goto end;
    scale_weight(norm_weight, weight, &at, scaled);
    sample_logits(norm_bias, weight, bias, task, &at, same, same + experts, of_sample);
#pragma omp parallel num_threads(threads)
    {
        float *n = room + omp_get_thread_num() * of_thread, *held = n + a_chunk * tokens * width;
#pragma omp for schedule(static)
        for (int64_t c = 0; c < chunks; c++) {
            const int64_t first = c * a_chunk * tokens;
            const int64_t rows = (c + 1 < chunks ? a_chunk : samples - c * a_chunk) * tokens;
            float *of_chunk = logits + first * experts;
            for (int64_t t = 0; t < rows; t += group)
                normalise(x + (first + t) * width, group * width, n + t * width, mean + (first + t) / group,
                          scale + (first + t) / group);
            both_transposed(n, scaled, of_chunk, rows, width, experts);
            const float *of_samples = of_sample + first / tokens * experts;
            if (mix >= 0.0f)
                mix_in(of_chunk, rows, &at, same, of_samples, held, row_scale + first);
            else
                for (int64_t e = 0; e < experts; e++)
                    for (int64_t b = 0; b < rows / tokens; b++)
                        for (int64_t t = 0; t < tokens; t++)
                            of_chunk[e * rows + b * tokens + t] += of_samples[b * experts + e];
            route(of_chunk, rows, &at, held, gate + first * top_k, expert + first * top_k);
        }
    }
end:
    free(scaled);
    free(same);
    free(of_sample);
    free(room);
    return no_memory;
}

/* Gradients of x, norm_weight, norm_bias, weight, bias and task.
   Returns 1, and has written nothing, when there is no memory to work in; otherwise 0. */
int cdsp_gate_backward(const float *dgate, const float *x, const float *norm_weight, const float *norm_bias,
                       const float *weight, const float *bias, const float *task, const float *gate,
                       const int64_t *expert, const float *logits, const float *mean, const float *scale,
                       const float *row_scale, int64_t samples, int64_t tokens, int64_t width, int64_t task_width,
                       int64_t experts, int64_t top_k, int64_t group, int over_all, float mix, float *dx,
                       float *dnorm_weight, float *dnorm_bias, float *dweight, float *dbias, float *dtask,
                       int threads) {
    const sizes_t at = {samples, tokens, width, task_width, experts, top_k, group, over_all, mix};
    const int64_t a_chunk = samples_a_chunk(&at), chunks = (samples + a_chunk - 1) / a_chunk, weights = width * experts;
    const int64_t of_thread = a_chunk * tokens * (width + experts) + experts;
    const int mixed = mix >= 0.0f;
    float *scaled = malloc(weights * sizeof *scaled), *partial = calloc(threads * weights, sizeof *partial);
    float *same = malloc((experts + samples) * sizeof *same);
    float *of_sample = calloc(samples * experts + 1, sizeof *of_sample); /* read only where the task is mixed in */
    /* of the sum over a sample's tokens of of_token's gradient, and of of_task's; added, the two are one */
    float *dsample = calloc((1 + mixed) * samples * experts + 1, sizeof *dsample);
    float *room = malloc(threads * of_thread * sizeof *room);
    const int no_memory = !scaled || !partial || !same || !of_sample || !dsample || !room;
    if (no_memory) goto end;
    float *task_scale = same + experts, *dtask_logits = dsample + mixed * samples * experts;
    scale_weight(norm_weight, weight, &at, scaled);
    if (mixed) sample_logits(norm_bias, weight, bias, task, &at, same, task_scale, of_sample);
#pragma omp parallel num_threads(threads)
    {
        float *dscaled = partial + omp_get_thread_num() * weights;
        float *n = room + omp_get_thread_num() * of_thread;
        float *dlogits = n + a_chunk * tokens * width, *z = dlogits + a_chunk * tokens * experts;
#pragma omp for schedule(static)
        for (int64_t c = 0; c < chunks; c++) {
            const int64_t first = c * a_chunk * tokens;
            const int64_t rows = (c + 1 < chunks ? a_chunk : samples - c * a_chunk) * tokens;
            for (int64_t t = 0; t < rows; t++) {
                const int64_t g = (first + t) / group;
                const float *in = x + (first + t) * width;
                for (int64_t d = 0; d < width; d++) n[t * width + d] = (in[d] - mean[g]) * scale[g];
                route_backward(dgate + (first + t) * top_k, gate + (first + t) * top_k, expert + (first + t) * top_k,
                               logits + first * experts + t, rows, &at, dlogits + t * experts);
                const int64_t b = (first + t) / tokens * experts;
                if (mixed)
                    mix_in_backward(logits + first * experts + t, rows, of_sample + b, row_scale[first + t], &at, z,
                                    dlogits + t * experts, dtask_logits + b);
                for (int64_t e = 0; e < experts; e++) dsample[b + e] += dlogits[t * experts + e];
            }
            add_outer(n, dlogits, dscaled, rows, width, experts, experts);
            times_transposed(dlogits, scaled, dx + first * width, rows, experts, width, experts);
            for (int64_t t = 0; t < rows; t += group)
                normalise_backward(n + t * width, scale[(first + t) / group], group * width, dx + (first + t) * width);
        }
    }
    if (mixed)
        for (int64_t b = 0; b < samples; b++)
            normalise_backward(of_sample + b * experts, task_scale[b], experts, dtask_logits + b * experts);
    for (int64_t k = 1; k < threads; k++)
        for (int64_t i = 0; i < weights; i++) partial[i] += partial[k * weights + i];
    memset(dbias, 0, experts * sizeof *dbias);
    for (int64_t b = 0; b < samples; b++)
        for (int64_t e = 0; e < experts; e++) dbias[e] += dsample[b * experts + e];
    for (int64_t d = 0; d < width; d++) {
        dnorm_weight[d] = dnorm_bias[d] = 0.0f;
        for (int64_t e = 0; e < experts; e++) {
            const float of_scaled = partial[d * experts + e], w = weight[d * experts + e];
            dnorm_weight[d] += of_scaled * w;
            dnorm_bias[d] += dbias[e] * w;
            dweight[d * experts + e] = of_scaled * norm_weight[d] + dbias[e] * norm_bias[d];
        }
    }
    memset(dweight + weights, 0, task_width * experts * sizeof *dweight);
    add_outer(task, dtask_logits, dweight + weights, samples, task_width, experts, experts);
    times_transposed(dtask_logits, weight + weights, dtask, samples, experts, task_width, experts);
end:
    free(scaled);
    free(partial);
    free(same);
    free(of_sample);
    free(dsample);
    free(room);
    return no_memory;
}
