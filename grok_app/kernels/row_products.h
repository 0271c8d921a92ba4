// Products of rows with the rows of a table, as of hidden states with the tied embeddings.
//
// A product's bits depend on its two rows alone.

#ifndef GROK_KERNELS_ROW_PRODUCTS_H_
#define GROK_KERNELS_ROW_PRODUCTS_H_

#include <algorithm>
#include <cstdint>
#include <vector>

#include "share.h"
#include "vectors.h"

namespace grok {

constexpr int kTile = kRegisters / 2;  // products computed together: their sums stay in registers
constexpr int kRows = 4;   // rows of `x` among them, where there are as many
constexpr int64_t kShare = 32 * 1024;  // numbers of the table in a unit of work: they stay in the cache

struct Row {
  const float* x;
  float* out;  // one number for each row of the table
};

// rows[r].out[e] = rows[r].x @ table[e] for the first R rows and C rows of the table.
template <int R, int C>
__attribute__((noinline)) void Products(const Row* rows, const float* table, int64_t size,
                                        int64_t entry) {
  Floats sums[(R * C + kLanes - 1) / kLanes * kLanes] = {};
  const int64_t whole = size / kLanes * kLanes;
  for (int64_t i = 0; i < whole; i += kLanes) {
    Floats x[R];
    for (int r = 0; r < R; ++r) {
      x[r] = Load(rows[r].x + i);
      if (C > 1) Keep(x[r]);
    }
    for (int c = 0; c < C; ++c) {
      __builtin_prefetch(table + (c + C) * size + i, 0, 2);  // the next entries
      Floats number = Load(table + c * size + i);
      if (R > 1) Keep(number);
      for (int r = 0; r < R; ++r) sums[r * C + c] = MultiplyAdd(x[r], number, sums[r * C + c]);
    }
  }
  if (whole < size)
    for (int r = 0; r < R; ++r)
      for (int c = 0; c < C; ++c)
        sums[r * C + c] =
            MultiplyAdd(LoadPart(rows[r].x + whole, size - whole),
                        LoadPart(table + c * size + whole, size - whole), sums[r * C + c]);
  float products[sizeof(sums) / sizeof(Floats)];
  for (int i = 0; i < R * C; i += kLanes) Store(SumEach(sums + i), products + i);
  for (int r = 0; r < R; ++r) std::copy_n(products + r * C, C, rows[r].out + entry);
}

// The same for any number of rows, and for the entries from `entry` to `end`.
template <int R>
void ProductsOfRows(const Row* rows, const float* table, int64_t size, int64_t entry, int64_t end) {
  constexpr int entries = kTile / R;
  for (; entry + entries <= end; entry += entries)
    Products<R, entries>(rows, table + entry * size, size, entry);
  for (; entry < end; ++entry) Products<R, 1>(rows, table + entry * size, size, entry);
}

// out [rows, entries] = x [rows, size] @ table [entries, size]^T where `live` [rows]; else zeros.
template <typename Pool>
void RowProducts(Pool& pool, int64_t rows, int64_t entries, int64_t size, const float* x,
                 const float* table, const bool* live, float* out) {
  std::vector<Row> living;
  for (int64_t r = 0; r < rows; ++r) {
    if (live[r]) living.push_back({x + r * size, out + r * entries});
    else std::fill_n(out + r * entries, entries, 0.0f);
  }
  const int64_t stripe = std::max<int64_t>(1, kShare / (size * kTile)) * kTile;
  const int64_t units = living.empty() ? 0 : (entries + stripe - 1) / stripe;
  const auto multiply = [=](int64_t unit, std::vector<float>&) {
    const int64_t begin = unit * stripe, end = std::min(begin + stripe, entries);
    const Row *row = living.data(), *last = row + living.size();
    for (; last - row >= kRows; row += kRows)
      ProductsOfRows<kRows>(row, table, size, begin, end);
    for (; row < last; ++row) ProductsOfRows<1>(row, table, size, begin, end);
  };
  Share(pool, units, living.size() * entries * size, multiply);
}

}  // namespace grok

#endif  // GROK_KERNELS_ROW_PRODUCTS_H_
