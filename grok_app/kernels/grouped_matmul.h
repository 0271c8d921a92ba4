// Rows times int8 matrices with grouped scales.
//
// A matrix is [K, N] as the checkpoint stores it, and scale group g covers rows g*K/G to
// (g+1)*K/G - 1; G divides K. The time goes into reading the weights once from memory: they are widened to
// float in registers, a few rows of the matrix at a time, so that the processor sees a few
// sequential streams. Every sum runs over k in order, whatever the number of rows: a row's bits do
// not depend on who is computed with it.

#ifndef GROK_KERNELS_GROUPED_MATMUL_H_
#define GROK_KERNELS_GROUPED_MATMUL_H_

#include <algorithm>
#include <cstdint>
#include <vector>

#include "share.h"
#include "vectors.h"

namespace grok {

constexpr int kMostRows = 6;            // of x, and
template <int R>                        // for so many of them
constexpr int kVectors = R == 1 ? 4 : kRegisters / 8;  // of columns: their sums stay in registers
constexpr int64_t kBlock = kVectors<1> * kLanes;
constexpr int kStreams = 16;            // rows of a matrix read side by side, for one row of x
constexpr int kMoreStreams = 32;        // for more: their sums leave the registers less often
constexpr int64_t kStripe = 4096;       // most columns of a unit of work: their sums stay in the cache
constexpr int64_t kUnits = 4;           // units of work that there should be at least

struct Matrix {
  const int8_t* weight;    // [K, N]
  const uint16_t* scales;  // bfloat16 [G, N]
  int64_t depth, columns, groups;
};

// Some rows of x times some columns of a matrix, over a run of rows of one of its scale groups.
// Runs follow one another: what one leaves unfinished waits in `sums` for the next.
struct Run {
  const float* x;  // [rows, depth]
  int64_t x_stride;
  const int8_t* w;  // [depth, columns]
  int64_t w_stride;
  int depth;
  int ahead;               // w is fetched so many rows further on
  bool opens, closes;      // the first, the last run of its group
  bool first;              // its group is the first one
  const uint16_t* scales;  // [columns]
  float *sums, *out;       // [rows, columns] each
  int64_t sums_stride, out_stride;

  void SkipColumns(int64_t columns) {
    w += columns;
    scales += columns;
    sums += columns;
    out += columns;
  }

  void SkipRows(int64_t rows) {
    x += rows * x_stride;
    sums += rows * sums_stride;
    out += rows * out_stride;
  }
};

// A run for R rows and V vectors of columns. A function of its own: as a part of another GCC no
// longer sees that the sums fit the registers.
template <int R, int V>
__attribute__((noinline)) void AccumulateVectors(const Run& run) {
  Floats sum[R][V];
  for (int r = 0; r < R; ++r)
    for (int v = 0; v < V; ++v)
      sum[r][v] = run.opens ? Floats{} : Load(run.sums + r * run.sums_stride + v * kLanes);
  const float* x = run.x;
  const int8_t* w = run.w;
  for (int k = 0; k < run.depth; ++k, ++x, w += run.w_stride) {
    Floats weight[V];
    __builtin_prefetch(w + run.ahead * run.w_stride, 0, 2);
    for (int v = 0; v < V; ++v) {
      weight[v] = Widen(w + v * kLanes);
      if (R > 1) Keep(weight[v]);
    }
    for (int r = 0; r < R; ++r) {
      const Floats number = Spread(x[r * run.x_stride]);
      for (int v = 0; v < V; ++v) sum[r][v] = MultiplyAdd(number, weight[v], sum[r][v]);
    }
  }
  if (!run.closes) {
    for (int r = 0; r < R; ++r)
      for (int v = 0; v < V; ++v) Store(sum[r][v], run.sums + r * run.sums_stride + v * kLanes);
    return;
  }
  Floats scale[V];
  for (int v = 0; v < V; ++v) scale[v] = Widen(run.scales + v * kLanes);
  for (int r = 0; r < R; ++r)
    for (int v = 0; v < V; ++v) {
      float* out = run.out + r * run.out_stride + v * kLanes;
      const Floats before = run.first ? Floats{} : Load(out);
      Store(MultiplyAdd(sum[r][v], scale[v], before), out);
    }
}

// The same for any number of whole vectors of columns.
template <int R>
void AccumulateColumns(int64_t columns, Run run) {
  constexpr int64_t block = kVectors<R> * kLanes;
  for (; columns >= block; columns -= block, run.SkipColumns(block))
    AccumulateVectors<R, kVectors<R>>(run);
  for (; columns > 0; columns -= kLanes, run.SkipColumns(kLanes)) AccumulateVectors<R, 1>(run);
}

// The same for any number of rows, in parts of about one size: the fewer rows, the more of the time
// goes into widening the weights.
inline void Accumulate(int64_t rows, int64_t columns, Run run) {
  static_assert(kMostRows == 6, "there is a case for each number of rows");
  for (int64_t parts = (rows + kMostRows - 1) / kMostRows; parts > 0; --parts) {
    const int64_t part = (rows + parts - 1) / parts;
    switch (part) {
      case 1: AccumulateColumns<1>(columns, run); break;
      case 2: AccumulateColumns<2>(columns, run); break;
      case 3: AccumulateColumns<3>(columns, run); break;
      case 4: AccumulateColumns<4>(columns, run); break;
      case 5: AccumulateColumns<5>(columns, run); break;
      case 6: AccumulateColumns<6>(columns, run); break;
    }
    run.SkipRows(part);
    rows -= part;
  }
}

// Every run of some rows of x [rows, K] with the columns from `begin` of m, in turn. What each
// leaves unfinished waits in `sums` [rows, columns].
template <typename Work>
void EachRun(int64_t rows, const float* x, const Matrix& m, int64_t begin, int64_t columns, float* sums,
             float* out, Work work) {
  const int64_t group = m.depth / m.groups, step = rows == 1 ? kStreams : kMoreStreams;
  Run run;
  run.x_stride = m.depth;
  run.w_stride = run.out_stride = m.columns;
  run.ahead = static_cast<int>(step);
  run.sums = sums;
  run.sums_stride = columns;
  run.out = out + begin;
  for (int64_t k = 0; k < m.depth; k += run.depth) {
    const int64_t g = k / group, last = (g + 1) * group;
    run.x = x + k;
    run.w = m.weight + k * m.columns + begin;
    run.depth = static_cast<int>(std::min(step, last - k));
    run.opens = k == g * group;
    run.closes = k + run.depth == last;
    run.first = g == 0;
    run.scales = m.scales + g * m.columns + begin;
    work(run);
  }
}

// The columns from `begin` to the end of m, too few to fill a vector: they get room for one.
inline void LastColumns(int64_t rows, const float* x, const Matrix& m, int64_t begin, float* out) {
  const int64_t columns = m.columns - begin;
  int8_t weight[kMoreStreams * kLanes] = {};
  uint16_t scales[kLanes] = {};
  std::vector<float> sums(rows * kLanes), made(rows * kLanes);
  EachRun(rows, x, m, begin, kLanes, sums.data(), out, [&](Run run) {
    for (int d = 0; d < run.depth; ++d)
      std::copy_n(run.w + d * m.columns, columns, weight + d * kLanes);
    std::copy_n(run.scales, columns, scales);
    run.w = weight;
    run.scales = scales;
    run.out = made.data();
    run.w_stride = run.out_stride = kLanes;
    Accumulate(rows, kLanes, run);
  });
  for (int64_t r = 0; r < rows; ++r)
    std::copy_n(made.data() + r * kLanes, columns, out + r * m.columns + begin);
}

// out[:, begin:end] = x [rows, K] @ m[:, begin:end]; `scratch` is this thread's own.
inline void Stripe(int64_t rows, const float* x, const Matrix& m, int64_t begin, int64_t end, float* out,
                   std::vector<float>& scratch) {
  const int64_t columns = (end - begin) / kLanes * kLanes;
  scratch.resize(rows * columns);
  if (columns > 0)
    EachRun(rows, x, m, begin, columns, scratch.data(), out,
            [=](const Run& run) { Accumulate(rows, columns, run); });
  if (begin + columns < end) LastColumns(rows, x, m, begin + columns, out);
}

// Matrices of one shape, one after the other.
struct Stack {
  const int8_t* weight;
  const uint16_t* scales;
  int64_t depth, columns, groups;

  Matrix operator[](int64_t index) const {
    return {weight + index * depth * columns, scales + index * groups * columns, depth, columns,
            groups};
  }
};

// Rows sorted by matrix: the first counts[0] rows of `x` go with matrix `first` of the stack, the
// next counts[1] with the one after it, and so on; rows beyond their sum give zeros.
template <typename Pool>
void GroupedMatmul(Pool& pool, int64_t rows, const float* x, const Stack& stack, int64_t first,
                   const int32_t* counts, int64_t matrices, float* out) {
  struct Part {
    int64_t row, rows;
    Matrix matrix;
  };
  std::vector<Part> parts;
  const int64_t depth = stack.depth, columns = stack.columns;
  int64_t row = 0;
  for (int64_t i = 0; i < matrices; ++i) {
    const int64_t count = std::min<int64_t>(counts[i], rows - row);
    if (count > 0) parts.push_back({row, count, stack[first + i]});
    row += std::max<int64_t>(count, 0);
  }
  std::fill(out + row * columns, out + rows * columns, 0.0f);

  // Wide stripes read memory in long runs; there must be enough of them to share.
  const int64_t units = std::max<int64_t>(kUnits, pool.num_threads() + 1);
  const int64_t wanted = (units + parts.size() - 1) / std::max<int64_t>(parts.size(), 1);
  const int64_t blocks = (columns + kBlock - 1) / kBlock;
  const int64_t narrow = (blocks + wanted - 1) / wanted * kBlock;
  const int64_t stripe = std::min(narrow, kStripe);
  const int64_t stripes = (columns + stripe - 1) / stripe;
  Share(pool, stripes * parts.size(), row * depth * columns, [=](int64_t unit, std::vector<float>& scratch) {
    const Part& part = parts[unit / stripes];
    const int64_t begin = unit % stripes * stripe;
    Stripe(part.rows, x + part.row * depth, part.matrix, begin, std::min(begin + stripe, columns),
           out + part.row * columns, scratch);
  });
}
}  // namespace grok

#endif  // GROK_KERNELS_GROUPED_MATMUL_H_
