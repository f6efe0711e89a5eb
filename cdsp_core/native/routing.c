/* Top-K gate: the K largest logits of every token and the softmax over them, or over all E before choosing.

   Shapes: T tokens, E experts, K chosen. Arrays are contiguous float32 or int64. */

#include <string.h>

#include "vector_math.h"

/* A number is above every NaN. */
static inline int above(float a, float b) { return a > b || (b != b && a == a); }

/* Largest first; of equal logits the lower index. One pass: an expert that is not above the last one held is not looked
   at twice. */
static void choose(const float *logits, int64_t experts, int64_t top_k, int64_t *chosen) {
    int64_t held = 0;
    for (int64_t e = 0; e < experts; e++) {
        if (held == top_k && !above(logits[e], logits[chosen[top_k - 1]])) continue;
        int64_t k = held < top_k ? held++ : top_k - 1;
        for (; k > 0 && above(logits[e], logits[chosen[k - 1]]); k--) chosen[k] = chosen[k - 1];
        chosen[k] = e;
    }
}

void cdsp_route(const float *logits, int64_t tokens, int64_t experts, int64_t top_k, int over_all, float *gate,
                int64_t *expert) {
    for (int64_t t = 0; t < tokens; t++, logits += experts, gate += top_k, expert += top_k) {
        choose(logits, experts, top_k, expert);
        const float largest = logits[expert[0]];
        float total = 0.0f;
        for (int64_t k = 0; k < top_k; k++) total += gate[k] = exp_(logits[expert[k]] - largest);
        if (over_all) {
            total = 0.0f;
            for (int64_t e = 0; e < experts; e++) total += exp_(logits[e] - largest);
        }
        for (int64_t k = 0; k < top_k; k++) gate[k] /= total;
    }
}

void cdsp_route_backward(const float *dgate, const float *gate, const int64_t *expert, const float *logits, int64_t tokens,
                         int64_t experts, int64_t top_k, int over_all, float *dlogits) {
    memset(dlogits, 0, tokens * experts * sizeof *dlogits);
    for (int64_t t = 0; t < tokens; t++, dgate += top_k, gate += top_k, expert += top_k, logits += experts, dlogits += experts) {
        float along = 0.0f;
        for (int64_t k = 0; k < top_k; k++) along += gate[k] * dgate[k];
        if (over_all)
            for (int64_t e = 0; e < experts; e++) /* gate_e = gate_0 e^(logit_e - logit_0), for every expert */
                dlogits[e] = -along * gate[0] * exp_(logits[e] - logits[expert[0]]);
        for (int64_t k = 0; k < top_k; k++)
            dlogits[expert[k]] = gate[k] * (dgate[k] - along);
    }
}
