// Work for several threads.

#ifndef GROK_KERNELS_SHARE_H_
#define GROK_KERNELS_SHARE_H_

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace grok {

constexpr int64_t kWorthSharing = 256 * 1024;  // products in the time that waking a thread takes

// Units of work, `products` multiplications in all, that the caller and the threads of a pool take
// one by one. The caller never waits for a thread that has not begun, so it may itself be one of
// the pool's.
template <typename Pool, typename Work>
void Share(Pool& pool, int64_t units, int64_t products, Work work) {
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
  const int64_t useful = products < kWorthSharing ? 0 : units - 1;
  const int64_t helpers = std::min<int64_t>(useful, pool.num_threads());
  for (int64_t i = 0; i < helpers; ++i) pool.Schedule(std::function<void()>(take));
  take();
  while (progress->done.load(std::memory_order_acquire) < units) {
  }
}

}  // namespace grok

#endif  // GROK_KERNELS_SHARE_H_
