// Attention of new tokens over a cache of keys and values.
//
// A slot's keys and values are [groups, length, size], floats or halves, and several query heads share
// a group; R of them, two or one, are computed side by side. A query reads the keys up to its own
// position, kKeys at a time, with a running softmax (Milakov and Gimelshein, arXiv 1805.02867): neither
// what others ask nor how long the cache is changes the cost, or a bit of the result.

#ifndef GROK_KERNELS_ATTENTION_H_
#define GROK_KERNELS_ATTENTION_H_

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "share.h"
#include "vectors.h"

namespace grok {

constexpr int kKeys = 32;         // keys whose scores are computed together
constexpr int64_t kQueries = 16;  // most queries of a unit of work: they share keys in the cache
constexpr int kLine = 64;         // bytes of a line of the processor's cache
constexpr int kColumns = 4;       // vectors of a value whose sums stay in registers
constexpr float kCap = 30.0f;     // scores are capped softly: kCap * tanh(score / kCap)
constexpr float kNever = -1e30f;

// Fetches numbers into the cache that are needed soon.
template <typename Number>
void Fetch(const Number* numbers, int64_t count) {
  constexpr int64_t kStep = kLine / sizeof(Number);
  for (int64_t i = 0; i < count; i += kStep) __builtin_prefetch(numbers + i, 0, 2);
}

// Of q [R, size] and a key [size] the products, lane by lane summed up: a key is widened once.
template <int R, typename Number>
void Multiply(const float* q, const Number* key, int64_t size, Floats (&sums)[R]) {
  for (int64_t i = 0; i + kLanes <= size; i += kLanes) {
    const Floats numbers = Load(key + i);
    for (int r = 0; r < R; ++r) sums[r] = MultiplyAdd(Load(q + r * size + i), numbers, sums[r]);
  }
}

// out [R, 0:V lanes] += weights [R, keys] @ values [keys, 0:V lanes]
template <int R, int V, typename Number>
void AddValues(const float (&weights)[R][kKeys], const Number* values, int64_t size, int64_t keys,
               float* out) {
  Floats sums[R][V];
  for (int r = 0; r < R; ++r)
    for (int v = 0; v < V; ++v) sums[r][v] = Load(out + r * size + v * kLanes);
  for (int64_t s = 0; s < keys; ++s)
    for (int v = 0; v < V; ++v) {
      const Floats value = Load(values + s * size + v * kLanes);
      for (int r = 0; r < R; ++r)
        sums[r][v] = MultiplyAdd(Spread(weights[r][s]), value, sums[r][v]);
    }
  for (int r = 0; r < R; ++r)
    for (int v = 0; v < V; ++v) Store(sums[r][v], out + r * size + v * kLanes);
}

// out [R, size] += weights [R, keys] @ values [keys, size]
template <int R, typename Number>
void AddAllValues(const float (&weights)[R][kKeys], const Number* values, int64_t size,
                  int64_t keys, float* out) {
  int64_t i = 0;
  for (; i + kColumns * kLanes <= size; i += kColumns * kLanes)
    AddValues<R, kColumns>(weights, values + i, size, keys, out + i);
  for (; i + kLanes <= size; i += kLanes)
    AddValues<R, 1>(weights, values + i, size, keys, out + i);
  for (; i < size; ++i)
    for (int r = 0; r < R; ++r)
      for (int64_t s = 0; s < keys; ++s)
        out[r * size + i] += weights[r][s] * Widen(values[s * size + i]);
}

// Keys from the position `start` on, [kKeys, size], their values, and which of them may be seen.
template <typename Number>
struct Block {
  const Number *keys, *values;
  const bool* visible;
  int64_t start, size;
  int64_t after;  // so many keys are read after these
};

// The softmax of a query on its way through the keys: the highest score so far, and the sum of the
// weights relative to it.
struct Softmax {
  float highest = kNever, total = 0.0f;

  // Turns the products of a block's keys, of which `seen` are before the query, into weights; scales
  // `out` [size], the values summed up so far, as the highest score has changed.
  void Weigh(float* weights, int64_t seen, const bool* visible, float multiplier, float* out,
             int64_t size) {
    Floats best = Floats{} + highest;
    for (int s = 0; s < kKeys; s += kLanes) {
      const Floats score = kCap * Tanh(Load(weights + s) * (multiplier / kCap));
      const int left = static_cast<int>(seen) - s;
      const Integers shown = (WidenWhole(visible + s) != 0) & (Lanes() < left);
      const Floats masked = shown ? score : Floats{} + kNever;
      Store(masked, weights + s);
      best = Larger(best, masked);
    }
    const float before = highest;
    highest = Largest(best);
    if (highest > before) {
      const float shrink = std::exp(before - highest);
      total *= shrink;
      for (int64_t i = 0; i < size; ++i) out[i] *= shrink;
    }
    Floats sum = {};
    for (int s = 0; s < kKeys; s += kLanes) {
      const Floats score = Load(weights + s);
      const Floats weight = score > kNever ? Exp(score - highest) : Floats{};
      Store(weight, weights + s);
      sum += weight;
    }
    total += Sum(sum);
  }
};

// R heads' queries of one token, [R, size] as their results.
template <int R>
struct Queries {
  const float* q;
  float* out;
  int64_t position;
  Softmax softmax[R];

  // Meanwhile every `step`th of the next block's keys and values, from the `fetch`th, is fetched.
  template <typename Number>
  void Attend(const Block<Number>& block, float multiplier, int64_t fetch, int64_t step) {
    const int64_t size = block.size;
    const int64_t seen = std::min<int64_t>(kKeys, position + 1 - block.start);
    if (seen <= 0) return;
    float weights[R][kKeys];
    Floats products[R][kKeys];
    for (int64_t s = 0; s < seen; ++s) {
      if (s == fetch && s < block.after) {
        Fetch(block.keys + (s + kKeys) * size, size);
        Fetch(block.values + (s + kKeys) * size, size);
        fetch += step;
      }
      Floats sums[R] = {};
      Multiply<R>(q, block.keys + s * size, size, sums);
      for (int r = 0; r < R; ++r) products[r][s] = sums[r];
    }
    for (int r = 0; r < R; ++r) {
      std::fill(products[r] + seen, products[r] + kKeys, Floats{});
      for (int64_t s = 0; s < kKeys; s += kLanes) Store(SumEach(products[r] + s), weights[r] + s);
      for (int64_t i = size - size % kLanes; i < size; ++i)
        for (int64_t s = 0; s < seen; ++s)
          weights[r][s] += q[r * size + i] * Widen(block.keys[s * size + i]);
    }
    for (int r = 0; r < R; ++r)
      softmax[r].Weigh(weights[r], seen, block.visible, multiplier, out + r * size, size);
    AddAllValues<R>(weights, block.values, size, seen, out);
  }

  void Finish(int64_t size) {
    for (int r = 0; r < R; ++r)
      for (int64_t i = 0; i < size; ++i)
        out[r * size + i] /= std::max(softmax[r].total, 1e-30f);
  }
};

// Keys and values of one layer, [slots, groups, length, size], and which positions of a slot
// [slots, length] may be seen.
template <typename Number>
struct Cache {
  const Number *keys, *values;
  const bool* visible;
  int64_t groups, length, size;
};

// out [b, T, heads, size] of queries of that shape at `positions` [b, T] over b slots from
// `first_slot`; zeros for positions outside the cache. R divides the heads of a group.
template <int R, typename Pool, typename Number>
void AttentionOf(Pool& pool, int64_t rows, int64_t tokens, int64_t heads, const float* q,
                 const int32_t* positions, const Cache<Number>& cache, int64_t first_slot,
                 float multiplier, float* out) {
  const int64_t together = heads / cache.groups, size = cache.size, length = cache.length;
  const int64_t most = std::max<int64_t>(1, kQueries / together);  // tokens of a unit
  struct Unit {
    int64_t row, token, group;
  };
  std::vector<Unit> units;
  int64_t products = 0;
  std::fill(out, out + rows * tokens * heads * size, 0.0f);
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t token = 0; token < tokens; token += most) {
      int64_t keys = 0;
      for (int64_t t = token; t < std::min(token + most, tokens); ++t) {
        const int64_t position = positions[row * tokens + t];
        if (position < length) keys += position + 1;
      }
      if (!keys) continue;
      for (int64_t group = 0; group < cache.groups; ++group) units.push_back({row, token, group});
      products += 2 * keys * heads * size;
    }
  const auto attend = [=](int64_t index, std::vector<float>&) {
    const Unit unit = units[index];
    const int64_t slot = first_slot + unit.row, first = slot * cache.groups + unit.group;
    std::vector<Queries<R>> queries;
    int64_t end = 0;
    for (int64_t t = unit.token; t < std::min(unit.token + most, tokens); ++t) {
      const int64_t at = unit.row * tokens + t, position = positions[at];
      if (position >= length) continue;
      end = std::max(end, position + 1);
      for (int64_t r = 0; r < together; r += R) {
        const int64_t offset = (at * heads + unit.group * together + r) * size;
        queries.push_back({q + offset, out + offset, position, {}});
      }
    }
    for (int64_t start = 0; start < end; start += kKeys) {
      const int64_t offset = (first * length + start) * size;
      const Block<Number> block = {cache.keys + offset, cache.values + offset,
                                   cache.visible + slot * length + start, start, size,
                                   end - start - kKeys};
      const int64_t count = queries.size();  // they share the fetching
      for (int64_t i = 0; i < count; ++i) queries[i].Attend(block, multiplier, i, count);
    }
    for (Queries<R>& query : queries) query.Finish(size);
  };
  Share(pool, units.size(), products, attend);
}

// The same, two heads of a group at a time where their number is even.
template <typename Pool, typename Number>
void Attention(Pool& pool, int64_t rows, int64_t tokens, int64_t heads, const float* q,
               const int32_t* positions, const Cache<Number>& cache, int64_t first_slot,
               float multiplier, float* out) {
  const bool even = heads / cache.groups % 2 == 0;
  const auto attend = even ? AttentionOf<2, Pool, Number> : AttentionOf<1, Pool, Number>;
  attend(pool, rows, tokens, heads, q, positions, cache, first_slot, multiplier, out);
}

}  // namespace grok

#endif  // GROK_KERNELS_ATTENTION_H_
