// Opens a file of the metrics directory that anybody may have put there. The
// one place where metric files are opened.

#ifndef TINE_COLLECTOR_FILE_OPENER_H_
#define TINE_COLLECTOR_FILE_OPENER_H_

#include <cstdint>
#include <string_view>

#include "common/unique_fd.h"

namespace tine::collector {

// The problem of a file that could not be opened for want of descriptors.
inline constexpr std::string_view kTooManyOpenFiles = "too_many_open_files";

// What the file system says of an open file. Unlike the header's content, none
// of it can be forged by a writer.
struct FileFacts {
  uint64_t device = 0;
  uint64_t inode = 0;
  uint64_t birth_ns =
      0;  // since the epoch; 0 where the file system does not keep it
  uint64_t size_bytes = 0;
  // Of the inode: write(), truncate, rename and link counts move it on, stores
  // to a mapping do not.
  uint64_t change_ns = 0;
  uint32_t owner_uid = 0;

  // Nobody need have it open: then its inode's number may be another file's,
  // born later, by now. (Where no birth is kept, it must be the owner's too.)
  bool IsSameFile(const FileFacts& other) const {
    return device == other.device && inode == other.inode &&
           birth_ns == other.birth_ns &&
           (birth_ns != 0 || owner_uid == other.owner_uid);
  }
};

struct OpenedFile {
  UniqueFd fd;  // O_RDONLY; invalid when it could not be opened
  FileFacts facts;
  // Why not: a value of a label `reason`. Empty when it could.
  std::string_view problem;
  // May it go well the next time?
  bool is_retryable = false;
  bool is_gone = false;  // no such file
};

// Opens `name`, which has no slash, in `directory_fd`. Never blocks (a FIFO, a
// leased file), never follows a link, never leaves the directory's file system,
// and refuses everything but a regular file with one name and at most
// `max_file_bytes`.
OpenedFile OpenUntrustedFile(int directory_fd, const char* name,
                             uint64_t max_file_bytes);

// Reads the facts anew (the size, mostly). False when that fails.
bool ReadFileFacts(int fd, FileFacts* facts, bool* is_regular,
                   uint32_t* link_count);

}  // namespace tine::collector

#endif  // TINE_COLLECTOR_FILE_OPENER_H_
