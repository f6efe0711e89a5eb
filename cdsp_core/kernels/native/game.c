/* The lagged gradient game (arXiv:2512.20291, Eq. 13-15) on gathered gradients: no array over all dimensions is made.

   Shapes: E experts, r rank quota, N entries a gradient row, of which the first `used` are compared, R dimensions. */

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "vector_math.h"

static float dot(const float *a, const float *b, int64_t n) {
    float sum = 0.0f;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}

/* gradient [E, r, N] belongs to dimensions index [E, r]. Writes cosine [E, E] (NaN: no common dimension, or no gradient
   there), overlap [E, E] (common dimensions / r) and conflict [E, E] (relu(-cosine), 0 where there is no cosine).
   Where `pairs` [E, E] is given, pairs that are false there are not compared and have no cosine.
   Returns 1, and has written nothing, when there is no memory to work in; otherwise 0. */
int cdsp_game(const float *gradient, const int64_t *index, const bool *pairs, int64_t experts, int64_t rank,
              int64_t width, int64_t used, int64_t dims, float *cosine, float *overlap, float *conflict) {
    float *square = malloc(experts * rank * sizeof *square);
    int64_t *row_of = malloc(dims * sizeof *row_of);
    const int no_memory = !square || !row_of;
    if (no_memory) goto end;
    for (int64_t i = 0; i < experts * rank; i++) square[i] = dot(gradient + i * width, gradient + i * width, used);
    for (int64_t e = 0; e < experts; e++) {
        memset(row_of, -1, dims * sizeof *row_of);
        for (int64_t i = 0; i < rank; i++) row_of[index[e * rank + i]] = i;
        for (int64_t f = e; f < experts; f++) {
            const bool compared = !pairs || pairs[e * experts + f];
            double product = 0.0, square_e = 0.0, square_f = 0.0;
            int64_t common = 0;
            for (int64_t j = 0; j < rank; j++) {
                const int64_t i = row_of[index[f * rank + j]];
                if (i < 0) continue;
                common++;
                if (!compared) continue;
                product += dot(gradient + (e * rank + i) * width, gradient + (f * rank + j) * width, used);
                square_e += square[e * rank + i];
                square_f += square[f * rank + j];
            }
            float value = NAN;
            if (square_e > 0.0 && square_f > 0.0) {
                value = (float)(product / sqrt(square_e) / sqrt(square_f));
                value = value < -1.0f ? -1.0f : value > 1.0f ? 1.0f : value;
            }
            cosine[e * experts + f] = cosine[f * experts + e] = value;
            overlap[e * experts + f] = overlap[f * experts + e] = (float)common / rank;
            conflict[e * experts + f] = conflict[f * experts + e] = e != f && value < 0.0f ? -value : 0.0f;
        }
    }
end:
    free(square);
    free(row_of);
    return no_memory;
}
