/* Elementary functions written so that loops over them become vector code. */

#pragma once

#include <math.h>
#include <stdint.h>

/* e^x to 2 ulp in float32 for |x| <= 87; beyond, the value at the bound. Plain arithmetic without branches, so loops
   over it become vector code. NaN stays NaN: a comparison with it is false, and it reaches `z`. */
static inline float exp_(float x) {
    x = x < -87.0f ? -87.0f : x;
    x = x > 87.0f ? 87.0f : x;
    const float k = rintf(x * 1.44269504f);
    const float z = (x - k * 0.693359375f) + k * 2.12194440e-4f;
    const float p = ((((1.9875691500e-4f * z + 1.3981999507e-3f) * z + 8.3334519073e-3f) * z + 4.1665795894e-2f) * z +
                     1.6666665459e-1f) *
                        z +
                    5.0000001201e-1f;
    const union {
        int32_t bits;
        float value;
    } power = {((int32_t)k + 127) << 23};
    return (p * z * z + z + 1.0f) * power.value;
}

static inline float sigmoid(float x) { return 1.0f / (1.0f + exp_(-x)); }
