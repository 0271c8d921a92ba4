// As many floats as one register of this processor holds.

#ifndef GROK_KERNELS_VECTORS_H_
#define GROK_KERNELS_VECTORS_H_

#include <cstdint>
#include <cstring>

#if defined(__AVX2__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace grok {

#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int kRegisters = 32;
#else
constexpr int kRegisters = 16;
#endif
#if defined(__AVX512F__)
constexpr int kLanes = 16;
#elif defined(__AVX2__)
constexpr int kLanes = 8;
#else
constexpr int kLanes = 4;
#endif
using Floats = float __attribute__((vector_size(4 * kLanes)));
using Bytes = int8_t __attribute__((vector_size(kLanes)));
using Integers = int32_t __attribute__((vector_size(4 * kLanes)));
using FloatsInMemory = float __attribute__((vector_size(4 * kLanes), aligned(4), may_alias));

inline Floats Load(const float* from) { return *reinterpret_cast<const FloatsInMemory*>(from); }

// A float16 number.
struct Half {
  uint16_t bits;
};

inline Floats Load(const Half* from) {
#if defined(__AVX512F__)
  return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
#elif defined(__AVX2__) && defined(__F16C__)
  return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
#elif defined(__aarch64__)
  return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(&from->bits)));
#else
  Integers bits;
  for (int i = 0; i < kLanes; ++i) bits[i] = from[i].bits;
  const Integers magnitude = bits & 0x7fff, rebias = Integers{} + (112 << 23);
  const Integers special = magnitude >= 0x7c00 ? rebias : Integers{};  // infinite or no number
  const Floats normal = reinterpret_cast<Floats>((magnitude << 13) + rebias + special);
  const Floats tiny = __builtin_convertvector(magnitude, Floats) * 0x1p-24f;
  const Floats value = magnitude >= 0x400 ? normal : tiny;
  return reinterpret_cast<Floats>(reinterpret_cast<Integers>(value) | (bits & 0x8000) << 16);
#endif
}

inline float Widen(float number) { return number; }

inline float Widen(Half number) {
  const Half numbers[kLanes] = {number};
  return Load(numbers)[0];
}

// The first `count` numbers, then zeros.
inline Floats LoadPart(const float* from, int64_t count) {
  Floats value = {};
  std::memcpy(&value, from, count * sizeof(float));
  return value;
}

inline void Store(Floats value, float* to) { *reinterpret_cast<FloatsInMemory*>(to) = value; }

inline Floats Widen(const int8_t* w) {
#if defined(__AVX512F__)
  return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(w))));
#elif defined(__AVX2__)
  return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(w))));
#else
  Bytes bytes;
  std::memcpy(&bytes, w, sizeof(bytes));
  return __builtin_convertvector(__builtin_convertvector(bytes, Integers), Floats);
#endif
}

inline Integers WidenWhole(const bool* from) {
  Bytes bytes;
  std::memcpy(&bytes, from, sizeof(bytes));
  return __builtin_convertvector(bytes, Integers);
}

// 0, 1, 2 and so on.
inline Integers Lanes() {
  Integers lanes = {};
  for (int i = 0; i < kLanes; ++i) lanes[i] = i;
  return lanes;
}

// bfloat16 numbers, the upper halves of floats.
inline Floats Widen(const uint16_t* w) {
  uint32_t bits[kLanes];
  for (int i = 0; i < kLanes; ++i) bits[i] = static_cast<uint32_t>(w[i]) << 16;
  Floats value;
  std::memcpy(&value, bits, sizeof(value));
  return value;
}

inline Floats Spread(float number) {
#if defined(__AVX512F__)
  return _mm512_set1_ps(number);
#elif defined(__AVX2__)
  return _mm256_set1_ps(number);
#else
  Floats value;
  for (int i = 0; i < kLanes; ++i) value[i] = number;
  return value;
#endif
}

// sum + a * b, rounded once where the processor can. Left to the compiler, which may do so here and
// not there, the same numbers would not always give the same bits (-ffp-contract=off).
inline Floats MultiplyAdd(Floats a, Floats b, Floats sum) {
#if defined(__AVX512F__)
  return _mm512_fmadd_ps(a, b, sum);
#elif defined(__AVX2__) && defined(__FMA__)
  return _mm256_fmadd_ps(a, b, sum);
#elif defined(__FP_FAST_FMAF)
  for (int i = 0; i < kLanes; ++i) sum[i] = __builtin_fmaf(a[i], b[i], sum[i]);
  return sum;
#else
  return sum + a * b;
#endif
}

// Keeps a value in its register: GCC would rather read it from memory again at each use, which
// takes as long as the multiplication.
inline void Keep(Floats& value) {
#if defined(__AVX512F__)
  asm("" : "+v"(value));
#elif defined(__AVX2__)
  asm("" : "+x"(value));
#else
  (void)value;
#endif
}

// The sum of the lanes, of halves and halves of them.
inline float Sum(Floats value) {
#if defined(__AVX512F__)
  return _mm512_reduce_add_ps(value);
#else
  for (int width = kLanes / 2; width > 0; width /= 2)
    for (int i = 0; i < width; ++i) value[i] += value[i + width];
  return value[0];
#endif
}

// Lane i is the sum of the lanes of vectors[i], for each in the same order: adding them side by side
// takes a third of the instructions of one sum after the other.
inline Floats SumEach(const Floats* vectors) {
#if defined(__AVX512F__)
  __m512 fours[4];  // of four vectors each: in every quarter four sums of what the quarters hold
  for (int i = 0; i < 4; ++i) {
    const Floats* v = vectors + 4 * i;
    const __m512 ab = _mm512_unpacklo_ps(v[0], v[1]) + _mm512_unpackhi_ps(v[0], v[1]);
    const __m512 cd = _mm512_unpacklo_ps(v[2], v[3]) + _mm512_unpackhi_ps(v[2], v[3]);
    fours[i] = _mm512_shuffle_ps(ab, cd, 0x44) + _mm512_shuffle_ps(ab, cd, 0xee);
  }
  const auto halve = [](__m512 a, __m512 b) {
    return _mm512_shuffle_f32x4(a, b, 0x88) + _mm512_shuffle_f32x4(a, b, 0xdd);
  };
  return halve(halve(fours[0], fours[1]), halve(fours[2], fours[3]));
#elif defined(__AVX2__)
  const auto four = [](const Floats* v) {
    return _mm256_hadd_ps(_mm256_hadd_ps(v[0], v[1]), _mm256_hadd_ps(v[2], v[3]));
  };
  const __m256 low = four(vectors), high = four(vectors + 4);
  return _mm256_permute2f128_ps(low, high, 0x20) + _mm256_permute2f128_ps(low, high, 0x31);
#else
  Floats sums;
  for (int i = 0; i < kLanes; ++i) sums[i] = Sum(vectors[i]);
  return sums;
#endif
}

inline Floats Larger(Floats a, Floats b) { return a > b ? a : b; }

inline float Largest(Floats value) {
#if defined(__AVX512F__)
  return _mm512_reduce_max_ps(value);
#else
  float largest = value[0];
  for (int i = 1; i < kLanes; ++i) largest = value[i] > largest ? value[i] : largest;
  return largest;
#endif
}

inline Floats Clamp(Floats x, float least, float most) {
  x = Larger(x, Floats{} + least);
  return x < most ? x : Floats{} + most;
}

// e^x to 2 units in the last place, for x <= 0; below -87 what comes is as small as floats are.
// The polynomial is that of Cephes' expf.
inline Floats Exp(Floats x) {
  x = Clamp(x, -87.0f, 0.0f);
  const Integers power = __builtin_convertvector(x * 1.44269504f - 0.5f, Integers);
  const Floats n = __builtin_convertvector(power, Floats);
  const Floats r = x - n * 0.693359375f + n * 2.12194440e-4f;
  Floats p = Spread(1.9875691500e-4f);
  for (const float factor : {1.3981999507e-3f, 8.3334519073e-3f, 4.1665795894e-2f,
                             1.6666665459e-1f, 5.0000001201e-1f})
    p = MultiplyAdd(p, r, Spread(factor));
  p = MultiplyAdd(p, r * r, r) + 1.0f;
  return p * reinterpret_cast<Floats>((power + 127) << 23);
}

// The hyperbolic tangent to a few units in the last place: Eigen's rational approximation.
inline Floats Tanh(Floats x) {
  x = Clamp(x, -7.9f, 7.9f);
  const Floats y = x * x;
  Floats p = Spread(-2.76076847742355e-16f), q = Spread(1.19825839466702e-06f);
  for (const float factor : {2.00018790482477e-13f, -8.60467152213735e-11f, 5.12229709037114e-08f,
                             1.48572235717979e-05f, 6.37261928875436e-04f, 4.89352455891786e-03f})
    p = MultiplyAdd(p, y, Spread(factor));
  for (const float factor : {1.18534705686654e-04f, 2.26843463243900e-03f, 4.89352518554385e-03f})
    q = MultiplyAdd(q, y, Spread(factor));
  return x * p / q;
}

}  // namespace grok

#endif  // GROK_KERNELS_VECTORS_H_
