// Rows times int8 matrices with grouped scales, for processors; called by XLA through its FFI.
//
// A matrix is [K, N] as the checkpoint stores it, and scale group g covers rows g*K/G to
// (g+1)*K/G - 1. The time goes into reading the weights once from memory: they are widened to
// float in registers, a few rows of the matrix at a time, so that the processor sees a few
// sequential streams. Every sum runs over k in order, whatever the number of rows: a row's bits do
// not depend on who is computed with it.

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <vector>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

#include "xla/ffi/api/ffi.h"

namespace ffi = xla::ffi;

namespace {

#if defined(__AVX512F__)
constexpr int kLanes = 16;
#elif defined(__AVX2__)
constexpr int kLanes = 8;
#else
constexpr int kLanes = 4;
#endif
using Floats = float __attribute__((vector_size(4 * kLanes)));
using FloatsInMemory = float __attribute__((vector_size(4 * kLanes), aligned(4), may_alias));

constexpr int kVectors = 4;
constexpr int kBlock = kVectors * kLanes;  // columns whose sums stay in registers
constexpr int kFewRows = 4;                // up to here weights are widened again for each row block
constexpr int kStreams = 16;                // rows of a matrix read side by side
constexpr int kDepth = 64;                 // rows of a matrix widened once for many rows of x
constexpr int kAhead = 32;                 // rows of a matrix that are fetched beforehand
constexpr int64_t kStripe = 4096;          // most columns of a unit of work: their sums stay in the cache
constexpr int64_t kUnits = 4;              // units of work that there should be at least

Floats Load(const float* from) { return *reinterpret_cast<const FloatsInMemory*>(from); }

void Store(Floats value, float* to) { *reinterpret_cast<FloatsInMemory*>(to) = value; }

Floats Widen(const int8_t* w) {
#if defined(__AVX512F__)
  return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(w))));
#elif defined(__AVX2__)
  return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(w))));
#else
  Floats value;
  for (int i = 0; i < kLanes; ++i) value[i] = w[i];
  return value;
#endif
}

Floats Widen(const float* w) { return Load(w); }

// sums[r][0:kBlock] += x[r][0:depth] @ w[0:depth][0:kBlock], for R rows.
template <int R, typename T>
void Accumulate(int ahead, const float* x, int64_t x_stride, const T* w, int64_t w_stride, int depth,
                float* sums, int64_t sums_stride) {
  Floats sum[R][kVectors];
  for (int r = 0; r < R; ++r)
    for (int v = 0; v < kVectors; ++v) sum[r][v] = Load(sums + r * sums_stride + v * kLanes);
  for (int k = 0; k < depth; ++k) {
    Floats weight[kVectors];
    __builtin_prefetch(w + (k + ahead) * w_stride, 0, 2);
    for (int v = 0; v < kVectors; ++v) weight[v] = Widen(w + k * w_stride + v * kLanes);
    for (int r = 0; r < R; ++r)
      for (int v = 0; v < kVectors; ++v) sum[r][v] += x[r * x_stride + k] * weight[v];
  }
  for (int r = 0; r < R; ++r)
    for (int v = 0; v < kVectors; ++v) Store(sum[r][v], sums + r * sums_stride + v * kLanes);
}

// The same for any number of rows.
template <typename T>
void AccumulateRows(int ahead, int64_t rows, const float* x, int64_t x_stride, const T* w, int64_t w_stride,
                    int depth, float* sums, int64_t sums_stride) {
  while (rows > 0) {
    const int64_t now = std::min<int64_t>(rows, kFewRows);
    auto accumulate = Accumulate<4, T>;
    if (now == 3) accumulate = Accumulate<3, T>;
    if (now == 2) accumulate = Accumulate<2, T>;
    if (now == 1) accumulate = Accumulate<1, T>;
    accumulate(ahead, x, x_stride, w, w_stride, depth, sums, sums_stride);
    rows -= now;
    x += now * x_stride;
    sums += now * sums_stride;
  }
}

struct Matrix {
  const int8_t* weight;    // [K, N]
  const uint16_t* scales;  // bfloat16 [G, N]
  int64_t depth, columns, groups;
};

float FromBfloat16(uint16_t value) {
  const uint32_t bits = static_cast<uint32_t>(value) << 16;
  float number;
  std::memcpy(&number, &bits, sizeof(number));
  return number;
}

// sums [rows, width] += x[:, k:k+depth] @ m[k:k+depth, begin:end], the weights widened in registers.
void AddFewRows(int64_t rows, const float* x, const Matrix& m, int64_t k, int depth, int64_t begin,
                int64_t end, float* sums, int64_t width) {
  for (int64_t n = 0; n < end - begin; n += kBlock)
    AccumulateRows(kAhead, rows, x + k, m.depth, m.weight + k * m.columns + begin + n, m.columns,
                   depth, sums + n, width);
}

// The same for many rows, or where `end` lies within a block: the weights are widened once into
// the cache, and the rows of x laid close together, which lie too far apart for it otherwise.
void AddManyRows(int64_t rows, const float* x, const Matrix& m, int64_t k, int depth,
                 int64_t begin, int64_t end, float* sums, int64_t width, float* space) {
  float* const packed = space;
  float* const widened = space + rows * kDepth;
  if (begin == end) return;
  for (int64_t r = 0; r < rows; ++r)
    std::copy_n(x + r * m.depth + k, depth, packed + r * kDepth);
  for (int64_t n = 0; n < end - begin; n += kBlock) {
    const int64_t valid = std::min<int64_t>(kBlock, end - begin - n);
    for (int d = 0; d < depth; ++d) {
      const int8_t* from = m.weight + (k + d) * m.columns + begin + n;
      float* to = widened + d * kBlock;
      __builtin_prefetch(from + kAhead * m.columns, 0, 2);
      for (int64_t c = 0; c < valid; ++c) to[c] = from[c];
      std::fill(to + valid, to + kBlock, 0.0f);
    }
    AccumulateRows(0, rows, packed, kDepth, widened, kBlock, depth, sums + n, width);
  }
}

// out[:, begin:end] = x [rows, K] @ m[:, begin:end]; `scratch` is this thread's own.
void Stripe(int64_t rows, const float* x, const Matrix& m, int64_t begin, int64_t end, float* out,
            std::vector<float>& scratch) {
  const int64_t width = (end - begin + kBlock - 1) / kBlock * kBlock;
  const int64_t group = m.depth / m.groups, step = rows <= kFewRows ? kStreams : kDepth;
  const int64_t whole = rows <= kFewRows ? begin + (end - begin) / kBlock * kBlock : begin;
  scratch.resize(rows * width + rows * kDepth + kDepth * kBlock);
  float* const sums = scratch.data();
  float* const space = sums + rows * width;
  for (int64_t g = 0; g < m.groups; ++g) {
    std::fill(sums, sums + rows * width, 0.0f);
    const int64_t last = (g + 1) * group;
    for (int64_t k = g * group; k < last; k += step) {
      const int depth = static_cast<int>(std::min(step, last - k));
      AddFewRows(rows, x, m, k, depth, begin, whole, sums, width);
      AddManyRows(rows, x, m, k, depth, whole, end, sums + whole - begin, width, space);
    }
    const uint16_t* scales = m.scales + g * m.columns + begin;
    for (int64_t r = 0; r < rows; ++r) {
      float* to = out + r * m.columns + begin;
      for (int64_t n = 0; n < end - begin; ++n) {
        const float scaled = sums[r * width + n] * FromBfloat16(scales[n]);
        to[n] = g == 0 ? scaled : to[n] + scaled;
      }
    }
  }
}

// Units of work that the caller and the threads of a pool take one by one. The caller never waits
// for a thread that has not begun, so it may itself be one of the pool's.
template <typename Work>
void Share(ffi::ThreadPool& pool, int64_t units, Work work) {
  struct Progress {
    std::atomic<int64_t> next{0}, done{0};
  };
  auto progress = std::make_shared<Progress>();
  auto take = [progress, units, work]() {
    std::vector<float> scratch;
    for (int64_t unit; (unit = progress->next.fetch_add(1)) < units;) {
      work(unit, scratch);
      progress->done.fetch_add(1, std::memory_order_release);
    }
  };
  const int64_t helpers = std::min<int64_t>(units - 1, pool.num_threads());
  for (int64_t i = 0; i < helpers; ++i) pool.Schedule(std::function<void()>(take));
  take();
  while (progress->done.load(std::memory_order_acquire) < units) {
  }
}

// Rows sorted by matrix: the first counts[0] rows go with matrix `first` of the stack, the next
// counts[1] with the one after it, and so on; rows beyond their sum give zeros.
ffi::Error GroupedMatmul(ffi::ThreadPool pool, ffi::Buffer<ffi::F32> x,
                         ffi::AnyBuffer weight, ffi::AnyBuffer scales,
                         ffi::Buffer<ffi::S32> first, ffi::Buffer<ffi::S32> counts,
                         ffi::ResultBuffer<ffi::F32> out) {
  const int64_t rank = weight.dimensions().size();
  const int64_t depth = weight.dimensions()[rank - 2], columns = weight.dimensions()[rank - 1];
  const int64_t groups = scales.dimensions()[rank - 2];
  const int64_t rows = x.dimensions()[0];
  const int8_t* weights = weight.typed_data<int8_t>();
  const uint16_t* all_scales = reinterpret_cast<const uint16_t*>(scales.untyped_data());

  struct Part {
    int64_t row, rows;
    Matrix matrix;
  };
  std::vector<Part> parts;
  int64_t row = 0;
  for (size_t i = 0; i < counts.element_count(); ++i) {
    const int64_t count = std::min<int64_t>(counts.typed_data()[i], rows - row);
    const int64_t index = first.typed_data()[0] + static_cast<int64_t>(i);
    if (count > 0)
      parts.push_back({row, count,
                       {weights + index * depth * columns, all_scales + index * groups * columns,
                        depth, columns, groups}});
    row += std::max<int64_t>(count, 0);
  }
  float* result = out->typed_data();
  std::fill(result + row * columns, result + rows * columns, 0.0f);

  // Wide stripes read memory in long runs; there must be enough of them to share.
  const int64_t units = std::max<int64_t>(kUnits, pool.num_threads() + 1);
  const int64_t wanted = (units + parts.size() - 1) / std::max<int64_t>(parts.size(), 1);
  const int64_t blocks = (columns + kBlock - 1) / kBlock;
  const int64_t narrow = (blocks + wanted - 1) / wanted * kBlock;
  const int64_t stripe = std::min(narrow, kStripe);
  const int64_t stripes = (columns + stripe - 1) / stripe;
  const float* inputs = x.typed_data();
  Share(pool, stripes * parts.size(), [=](int64_t unit, std::vector<float>& scratch) {
    const Part& part = parts[unit / stripes];
    const int64_t begin = unit % stripes * stripe;
    Stripe(part.rows, inputs + part.row * depth, part.matrix, begin,
           std::min(begin + stripe, columns), result + part.row * columns, scratch);
  });
  return ffi::Error::Success();
}

}  // namespace

XLA_FFI_DEFINE_HANDLER_SYMBOL(grok_grouped_matmul, GroupedMatmul,
                              ffi::Ffi::Bind()
                                  .Ctx<ffi::ThreadPool>()
                                  .Arg<ffi::Buffer<ffi::F32>>()  // x [rows, K]
                                  .Arg<ffi::AnyBuffer>()         // weight int8 [..., K, N]
                                  .Arg<ffi::AnyBuffer>()         // scales bfloat16 [..., G, N]
                                  .Arg<ffi::Buffer<ffi::S32>>()  // first []
                                  .Arg<ffi::Buffer<ffi::S32>>()  // counts [matrices]
                                  .Ret<ffi::Buffer<ffi::F32>>());
