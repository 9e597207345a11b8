#include "writer/arena.h"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>

#include "writer/process_state.h"

namespace tine::internal {

Arena g_arena;

void* Arena::AllocateLocked(size_t size_bytes) noexcept {
  size_bytes = (size_bytes + 15) & ~size_t{15};
  Piece* piece = piece_.load(std::memory_order_relaxed);
  uint8_t* next =
      piece == nullptr ? nullptr : piece->next.load(std::memory_order_relaxed);
  if (piece == nullptr || size_bytes > static_cast<size_t>(piece->end - next)) {
    const size_t piece_bytes =
        std::max(size_bytes + sizeof(Piece), next_piece_bytes_);
    if (g_image.is_sealed.load(std::memory_order_relaxed) || IsShort()) {
      return nullptr;
    }
    void* memory = ::mmap(nullptr, piece_bytes, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
      retry_at_ns_.store(CoarseNowNs() + kRetryAfterNs,
                         std::memory_order_relaxed);
      NoteError(g_image.process.load(std::memory_order_acquire),
                "no memory to register a metric", errno);
      return nullptr;
    }
    retry_at_ns_.store(0, std::memory_order_relaxed);
    piece = static_cast<Piece*>(memory);
    next = static_cast<uint8_t*>(memory) + sizeof(Piece);
    piece->end = static_cast<uint8_t*>(memory) + piece_bytes;
    piece->next.store(next, std::memory_order_relaxed);
    piece_.store(piece, std::memory_order_release);
    next_piece_bytes_ = std::min(2 * next_piece_bytes_, kLargestPieceBytes);
  }
  piece->next.store(next + size_bytes, std::memory_order_release);
  return next;
}

bool Arena::IsShort() const noexcept {
  const uint64_t retry_at_ns = retry_at_ns_.load(std::memory_order_relaxed);
  return retry_at_ns != 0 && CoarseNowNs() < retry_at_ns;
}

}  // namespace tine::internal
