// The kernels as XLA calls them, through its FFI: each takes its buffers apart.

#include <string>

#include "attention.h"
#include "grouped_matmul.h"
#include "row_products.h"
#include "xla/ffi/api/ffi.h"

namespace ffi = xla::ffi;

namespace {

ffi::Error GroupedMatmul(ffi::ThreadPool pool, ffi::Buffer<ffi::F32> x, ffi::AnyBuffer weight,
                         ffi::AnyBuffer scales, ffi::Buffer<ffi::S32> first,
                         ffi::Buffer<ffi::S32> counts, ffi::ResultBuffer<ffi::F32> out) {
  const int64_t rank = weight.dimensions().size();
  const grok::Stack stack = {weight.typed_data<int8_t>(),
                             reinterpret_cast<const uint16_t*>(scales.untyped_data()),
                             weight.dimensions()[rank - 2], weight.dimensions()[rank - 1],
                             scales.dimensions()[rank - 2]};
  if (stack.groups == 0 || stack.depth == 0 || stack.depth % stack.groups != 0)
    return ffi::Error::InvalidArgument("the scale groups must divide the rows of the matrix");
  grok::GroupedMatmul(pool, x.dimensions()[0], x.typed_data(), stack, first.typed_data()[0],
                      counts.typed_data(), counts.element_count(), out->typed_data());
  return ffi::Error::Success();
}

template <typename Number>
void AttendTo(ffi::ThreadPool& pool, ffi::Buffer<ffi::F32> q, ffi::AnyBuffer keys,
              ffi::AnyBuffer values, ffi::Buffer<ffi::PRED> visible, int64_t layer,
              int64_t first_slot, const int32_t* positions, float multiplier, float* out) {
  const auto shape = keys.dimensions();  // [layers, slots, groups, length, size]
  const int64_t before = layer * shape[1] * shape[2] * shape[3] * shape[4];
  const grok::Cache<Number> cache = {static_cast<const Number*>(keys.untyped_data()) + before,
                                     static_cast<const Number*>(values.untyped_data()) + before,
                                     visible.typed_data(), shape[2], shape[3], shape[4]};
  const auto rows = q.dimensions();  // [b, T, heads, size]
  grok::Attention(pool, rows[0], rows[1], rows[2], q.typed_data(), positions, cache, first_slot,
                  multiplier, out);
}

ffi::Error Attention(ffi::ThreadPool pool, ffi::Buffer<ffi::F32> q, ffi::AnyBuffer keys,
                     ffi::AnyBuffer values, ffi::Buffer<ffi::PRED> visible,
                     ffi::Buffer<ffi::S32> layer, ffi::Buffer<ffi::S32> first_slot,
                     ffi::Buffer<ffi::S32> positions, float multiplier,
                     ffi::ResultBuffer<ffi::F32> out) {
  if (keys.element_type() != values.element_type())
    return ffi::Error::InvalidArgument("keys and values must be of one type");
  if (visible.dimensions()[1] % grok::kKeys != 0)
    return ffi::Error::InvalidArgument("the positions of a slot must be a multiple of " +
                                       std::to_string(grok::kKeys));
  const auto attend = [&](auto number) {
    AttendTo<decltype(number)>(pool, q, keys, values, visible, layer.typed_data()[0],
                               first_slot.typed_data()[0], positions.typed_data(), multiplier,
                               out->typed_data());
    return ffi::Error::Success();
  };
  if (keys.element_type() == ffi::F32) return attend(float{});
  if (keys.element_type() == ffi::F16) return attend(grok::Half{});
  return ffi::Error::InvalidArgument("keys and values must be float32 or float16");
}

ffi::Error RowProducts(ffi::ThreadPool pool, ffi::Buffer<ffi::F32> x, ffi::Buffer<ffi::F32> table,
                       ffi::Buffer<ffi::PRED> live, ffi::ResultBuffer<ffi::F32> out) {
  grok::RowProducts(pool, x.dimensions()[0], table.dimensions()[0], x.dimensions()[1],
                    x.typed_data(), table.typed_data(), live.typed_data(), out->typed_data());
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

XLA_FFI_DEFINE_HANDLER_SYMBOL(grok_attention, Attention,
                              ffi::Ffi::Bind()
                                  .Ctx<ffi::ThreadPool>()
                                  .Arg<ffi::Buffer<ffi::F32>>()   // q [b, T, N, H]
                                  .Arg<ffi::AnyBuffer>()          // keys [L, B, G, S, H]
                                  .Arg<ffi::AnyBuffer>()          // values [L, B, G, S, H]
                                  .Arg<ffi::Buffer<ffi::PRED>>()  // visible [B, S]
                                  .Arg<ffi::Buffer<ffi::S32>>()   // layer []
                                  .Arg<ffi::Buffer<ffi::S32>>()   // first_slot []
                                  .Arg<ffi::Buffer<ffi::S32>>()   // positions [b, T]
                                  .Attr<float>("multiplier")
                                  .Ret<ffi::Buffer<ffi::F32>>());

XLA_FFI_DEFINE_HANDLER_SYMBOL(grok_row_products, RowProducts,
                              ffi::Ffi::Bind()
                                  .Ctx<ffi::ThreadPool>()
                                  .Arg<ffi::Buffer<ffi::F32>>()   // x [rows, D]
                                  .Arg<ffi::Buffer<ffi::F32>>()   // table [V, D]
                                  .Arg<ffi::Buffer<ffi::PRED>>()  // live [rows]
                                  .Ret<ffi::Buffer<ffi::F32>>());
