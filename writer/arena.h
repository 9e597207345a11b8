#ifndef TINE_WRITER_ARENA_H_
#define TINE_WRITER_ARENA_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace tine::internal {

// Memory for what is registered: taken from the kernel in pieces, never given
// back. Not malloc, because a forked child of a threaded process may not call
// it, nor may a signal handler. Private memory, so a forked child has a copy.
//
// The caller holds the slow-path lock. Each change is one store, so that the
// copy that a fork takes at any moment is sound: dying or forking in the middle
// costs at most the bytes of one allocation.
class Arena {
 public:
  // Zeroed, 16-byte aligned; null when memory is short.
  void* AllocateLocked(size_t size_bytes) noexcept;
  // The kernel had none a short while ago and is not asked again yet. Needs no
  // lock.
  bool IsShort() const noexcept;

 private:
  // At the beginning of each piece.
  struct alignas(16) Piece {
    std::atomic<uint8_t*> next;
    uint8_t* end;
  };
  static constexpr size_t kSmallestPieceBytes = 64 * 1024;
  static constexpr size_t kLargestPieceBytes = 1024 * 1024;

  std::atomic<Piece*> piece_{nullptr};
  std::atomic<uint64_t> retry_at_ns_{0};  // coarse clock; 0: not short
  size_t next_piece_bytes_ = kSmallestPieceBytes;
};

extern Arena g_arena;

}  // namespace tine::internal

#endif  // TINE_WRITER_ARENA_H_
