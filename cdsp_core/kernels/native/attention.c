/* Causal grouped-query attention with rotary positions, forward and backward, from the projection to the mixed heads.

   Shapes: B images, S tokens, H query heads, G key and value heads, C head width (even), M = H / G query heads that
   share one key head, W = C padded to TILE. All arrays are contiguous float32. `qkv` is [B, S, H + 2 G, C], `mixed`
   is [B, S, H, C]; `cos` and `sin` are [S, C], whose second half holds the angles' cosine and sine.

   One image and key head at a time: its M S queries are the rows n = i M + m, taken TILE at a time, so that the lanes
   of a vector are queries and softmax needs no sum across lanes. Scores live as [S, TILE] in the cache; the backward
   pass computes them again, so nothing but `qkv` is kept. A (image, key head) belongs to one thread: the order of
   every sum is the same for any number of threads. */

#include <math.h>
#include <omp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "vector_math.h"

enum { TILE = 16, ROWS = 8 };

#if defined(__AVX512F__)
enum { LANES = 16 };
#elif defined(__AVX__)
enum { LANES = 8 };
#else
enum { LANES = 4 };
#endif

typedef float vector_t __attribute__((vector_size(LANES * sizeof(float)), may_alias));

#define INLINE static inline __attribute__((always_inline))

typedef struct {
    int64_t tokens, heads, kv_heads, shared, width, padded;
    const float *cos, *sin;
} shape_t;

typedef struct {
    float *key, *value, *dkey, *dvalue; /* [S, W], rows padded to ROWS with zeros */
    float *query, *dmixed, *out;        /* [TILE, W] */
    float *query_t, *dmixed_t;          /* [W, TILE] */
    float *share, *dshare;              /* [S, TILE]: softmax of the scores, its gradient */
    int32_t last[TILE];                 /* the last key that a row of the tile sees */
} room_t;

static int64_t padded(int64_t size, int64_t to) { return (size + to - 1) / to * to; }

/* Bytes of a thread's room. */
static int64_t room_size(const shape_t *s) {
    const int64_t keys = padded(s->tokens, ROWS), rows = keys * s->padded, tile = TILE * s->padded;
    return padded(padded(sizeof(room_t), 64) + (4 * rows + 5 * tile + 2 * keys * TILE) * sizeof(float), 64);
}

static room_t *make_room(char *memory, const shape_t *s) {
    const int64_t keys = padded(s->tokens, ROWS), rows = keys * s->padded, tile = TILE * s->padded;
    memset(memory, 0, room_size(s));
    room_t *room = (room_t *)memory;
    float *next = (float *)(memory + padded(sizeof(room_t), 64));
    float **of_rows[] = {&room->key, &room->value, &room->dkey, &room->dvalue};
    float **of_tile[] = {&room->query, &room->dmixed, &room->out, &room->query_t, &room->dmixed_t};
    for (int k = 0; k < 4; k++, next += rows) *of_rows[k] = next;
    for (int k = 0; k < 5; k++, next += tile) *of_tile[k] = next;
    room->share = next;
    room->dshare = next + keys * TILE;
    return room;
}

/* C[rows, width] = A B, or += where `add`; A's entry (r, k) is a[r a_row + k a_step]; rows of B and C are `width`
   apart. `rows` is a multiple of ROWS, `width` of LANES. */
INLINE void multiply(const float *a, int64_t a_row, int64_t a_step, const float *b, float *c, int64_t rows,
                     int64_t steps, int64_t width, int add) {
    for (int64_t r = 0; r < rows; r += ROWS)
        for (int64_t w = 0; w < width; w += LANES) {
            vector_t sum[ROWS];
#pragma GCC unroll 8
            for (int n = 0; n < ROWS; n++) sum[n] = add ? *(vector_t *)(c + (r + n) * width + w) : (vector_t){0};
            for (int64_t k = 0; k < steps; k++) {
                const vector_t right = *(const vector_t *)(b + k * width + w);
#pragma GCC unroll 8
                for (int n = 0; n < ROWS; n++) sum[n] += a[(r + n) * a_row + k * a_step] * right;
            }
#pragma GCC unroll 8
            for (int n = 0; n < ROWS; n++) *(vector_t *)(c + (r + n) * width + w) = sum[n];
        }
}

/* One head of one token turned by its position's angles (direction 1) or back (-1), times `scale`. */
INLINE void rotate(const float *restrict x, const float *restrict cos, const float *restrict sin, float direction,
                   float scale, int64_t width, float *restrict out) {
    const int64_t half = width / 2;
#pragma omp simd
    for (int64_t c = 0; c < half; c++) {
        const float turn = direction * sin[c + half];
        out[c] = scale * (x[c] * cos[c + half] - x[c + half] * turn);
        out[c + half] = scale * (x[c + half] * cos[c + half] + x[c] * turn);
    }
}

INLINE void transpose(const float *restrict rows, int64_t width, int64_t row_width, float *restrict columns) {
    for (int64_t c = 0; c < width; c++)
#pragma omp simd
        for (int64_t r = 0; r < TILE; r++) columns[c * TILE + r] = rows[r * row_width + c];
}

/* Keys (turned) and values of one image and key head. */
INLINE void load_keys(const float *qkv, int64_t group, const shape_t *s, int64_t width, room_t *room) {
    const int64_t stride = (s->heads + 2 * s->kv_heads) * width;
    for (int64_t j = 0; j < s->tokens; j++) {
        const float *key = qkv + j * stride + (s->heads + group) * width;
        rotate(key, s->cos + j * width, s->sin + j * width, 1.0f, 1.0f, width, room->key + j * s->padded);
        memcpy(room->value + j * s->padded, key + s->kv_heads * width, width * sizeof(float));
    }
}

/* Queries of the tile, turned and divided by sqrt(C), as rows and as columns; rows beyond the last query are zero. */
INLINE void load_queries(const float *qkv, int64_t group, int64_t first, const shape_t *s, int64_t width, float scale,
                         room_t *room) {
    const int64_t stride = (s->heads + 2 * s->kv_heads) * width;
    int64_t i = first / s->shared, m = first % s->shared;
    for (int64_t r = 0; r < TILE; r++) {
        float *row = room->query + r * s->padded;
        room->last[r] = (int32_t)(i < s->tokens ? i : s->tokens - 1);
        if (i < s->tokens)
            rotate(qkv + i * stride + (group * s->shared + m) * width, s->cos + i * width, s->sin + i * width, 1.0f,
                   scale, width, row);
        else
            memset(row, 0, width * sizeof *row);
        if (++m == s->shared) m = 0, i++;
    }
    transpose(room->query, width, s->padded, room->query_t);
}

/* share[j, r] = softmax over j <= last[r] of key j times query r; 0 beyond. `keys` is a multiple of ROWS. */
INLINE void softmax_scores(room_t *room, int64_t keys, int64_t width, int64_t row_width) {
    float *restrict share = room->share, largest[TILE], sum[TILE] = {0};
    const int32_t *restrict last = room->last;
    multiply(room->key, row_width, 1, room->query_t, share, keys, width, TILE, 0);
    memcpy(largest, share, sizeof largest);
    for (int32_t j = 1; j < keys; j++)
#pragma omp simd
        for (int r = 0; r < TILE; r++) {
            const float score = share[j * TILE + r];
            largest[r] = (score > largest[r]) & (j <= last[r]) ? score : largest[r];
        }
    for (int32_t j = 0; j < keys; j++)
#pragma omp simd
        for (int r = 0; r < TILE; r++) {
            const float power = exp_(share[j * TILE + r] - largest[r]), counted = j <= last[r] ? power : 0.0f;
            share[j * TILE + r] = counted;
            sum[r] += counted;
        }
    for (int r = 0; r < TILE; r++) sum[r] = 1.0f / sum[r];
    for (int64_t j = 0; j < keys; j++)
#pragma omp simd
        for (int r = 0; r < TILE; r++) share[j * TILE + r] *= sum[r];
}

/* dshare becomes the gradient of the scores: share (dshare - sum over keys of share dshare). */
INLINE void softmax_backward(room_t *room, int64_t keys) {
    const float *restrict share = room->share;
    float *restrict dshare = room->dshare, along[TILE] = {0};
    for (int64_t j = 0; j < keys; j++)
#pragma omp simd
        for (int r = 0; r < TILE; r++) along[r] += share[j * TILE + r] * dshare[j * TILE + r];
    for (int64_t j = 0; j < keys; j++)
#pragma omp simd
        for (int r = 0; r < TILE; r++) dshare[j * TILE + r] = share[j * TILE + r] * (dshare[j * TILE + r] - along[r]);
}

INLINE void forward_group(const float *qkv, float *mixed, int64_t group, const shape_t *s, int64_t width,
                          int64_t row_width, room_t *room) {
    const float scale = 1.0f / sqrtf(width);
    load_keys(qkv, group, s, width, room);
    for (int64_t first = 0; first < s->tokens * s->shared; first += TILE) {
        load_queries(qkv, group, first, s, width, scale, room);
        const int64_t keys = room->last[TILE - 1] + 1;
        softmax_scores(room, padded(keys, ROWS), width, row_width);
        multiply(room->share, 1, TILE, room->value, room->out, TILE, keys, row_width, 0);
        int64_t i = first / s->shared, m = first % s->shared;
        for (int64_t r = 0; r < TILE && i < s->tokens; r++) {
            memcpy(mixed + (i * s->heads + group * s->shared + m) * width, room->out + r * row_width,
                   width * sizeof(float));
            if (++m == s->shared) m = 0, i++;
        }
    }
}

INLINE void backward_group(const float *dmixed, const float *qkv, float *dqkv, int64_t group, const shape_t *s,
                           int64_t width, int64_t row_width, room_t *room) {
    const float scale = 1.0f / sqrtf(width);
    const int64_t stride = (s->heads + 2 * s->kv_heads) * width;
    load_keys(qkv, group, s, width, room);
    memset(room->dkey, 0, padded(s->tokens, ROWS) * row_width * sizeof(float));
    memset(room->dvalue, 0, padded(s->tokens, ROWS) * row_width * sizeof(float));
    for (int64_t first = 0; first < s->tokens * s->shared; first += TILE) {
        load_queries(qkv, group, first, s, width, scale, room);
        int64_t i = first / s->shared, m = first % s->shared;
        for (int64_t r = 0; r < TILE; r++) {
            float *row = room->dmixed + r * row_width;
            if (i < s->tokens)
                memcpy(row, dmixed + (i * s->heads + group * s->shared + m) * width, width * sizeof *row);
            else
                memset(row, 0, width * sizeof *row);
            if (++m == s->shared) m = 0, i++;
        }
        transpose(room->dmixed, width, row_width, room->dmixed_t);
        const int64_t keys = room->last[TILE - 1] + 1, key_rows = padded(keys, ROWS);
        softmax_scores(room, key_rows, width, row_width);
        multiply(room->share, TILE, 1, room->dmixed, room->dvalue, key_rows, TILE, row_width, 1);
        multiply(room->value, row_width, 1, room->dmixed_t, room->dshare, key_rows, width, TILE, 0);
        softmax_backward(room, key_rows);
        multiply(room->dshare, TILE, 1, room->query, room->dkey, key_rows, TILE, row_width, 1);
        multiply(room->dshare, 1, TILE, room->key, room->out, TILE, keys, row_width, 0);
        i = first / s->shared, m = first % s->shared;
        for (int64_t r = 0; r < TILE && i < s->tokens; r++) {
            rotate(room->out + r * row_width, s->cos + i * width, s->sin + i * width, -1.0f, scale, width,
                   dqkv + i * stride + (group * s->shared + m) * width);
            if (++m == s->shared) m = 0, i++;
        }
    }
    for (int64_t j = 0; j < s->tokens; j++) {
        float *dkey = dqkv + j * stride + (s->heads + group) * width;
        rotate(room->dkey + j * row_width, s->cos + j * width, s->sin + j * width, -1.0f, 1.0f, width, dkey);
        memcpy(dkey + s->kv_heads * width, room->dvalue + j * row_width, width * sizeof(float));
    }
}

/* Both return 1, and have written nothing, when there is no memory to work in; otherwise 0. */
int cdsp_attention_forward(const float *qkv, const float *cos, const float *sin, float *mixed, int64_t images,
                           int64_t tokens, int64_t heads, int64_t kv_heads, int64_t width, int threads) {
    const shape_t s = {tokens, heads, kv_heads, heads / kv_heads, width, padded(width, TILE), cos, sin};
    char *rooms = aligned_alloc(64, threads * room_size(&s));
    if (!rooms) return 1;
#pragma omp parallel num_threads(threads)
    {
        room_t *room = make_room(rooms + omp_get_thread_num() * room_size(&s), &s);
#pragma omp for schedule(static)
        for (int64_t n = 0; n < images * kv_heads; n++) {
            const int64_t image = n / kv_heads, group = n % kv_heads;
            const float *qkv_n = qkv + image * tokens * (heads + 2 * kv_heads) * width;
            float *mixed_n = mixed + image * tokens * heads * width;
            if (width == TILE)
                forward_group(qkv_n, mixed_n, group, &s, TILE, TILE, room);
            else
                forward_group(qkv_n, mixed_n, group, &s, width, s.padded, room);
        }
    }
    free(rooms);
    return 0;
}

int cdsp_attention_backward(const float *dmixed, const float *qkv, const float *cos, const float *sin, float *dqkv,
                            int64_t images, int64_t tokens, int64_t heads, int64_t kv_heads, int64_t width,
                            int threads) {
    const shape_t s = {tokens, heads, kv_heads, heads / kv_heads, width, padded(width, TILE), cos, sin};
    char *rooms = aligned_alloc(64, threads * room_size(&s));
    if (!rooms) return 1;
#pragma omp parallel num_threads(threads)
    {
        room_t *room = make_room(rooms + omp_get_thread_num() * room_size(&s), &s);
#pragma omp for schedule(static)
        for (int64_t n = 0; n < images * kv_heads; n++) {
            const int64_t image = n / kv_heads, group = n % kv_heads;
            const int64_t offset = image * tokens * (heads + 2 * kv_heads) * width;
            const float *dmixed_n = dmixed + image * tokens * heads * width;
            if (width == TILE)
                backward_group(dmixed_n, qkv + offset, dqkv + offset, group, &s, TILE, TILE, room);
            else
                backward_group(dmixed_n, qkv + offset, dqkv + offset, group, &s, width, s.padded, room);
        }
    }
    free(rooms);
    return 0;
}
