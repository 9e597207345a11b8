#include "collector/quarantine.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <ctime>

#include "collector/file_removal.h"
#include "collector/liveness.h"
#include "common/unique_fd.h"

namespace tine::collector {
namespace {

// `file` has its name, inode and reason.
void Examine(const FileSet& files, QuarantinedFile* file) {
  struct stat info;
  if (::fstatat(files.directory_fd(), file->name.c_str(), &info,
                AT_SYMLINK_NOFOLLOW) != 0 ||
      info.st_ino != file->inode) {
    file->obstacle = "gone";
    return;
  }
  const time_t last = std::max(info.st_mtime, info.st_ctime);
  const time_t now = ::time(nullptr);
  file->age_s = now > last ? static_cast<uint64_t>(now - last) : 0;
  if (!S_ISREG(info.st_mode)) {
    file->obstacle = "not_regular";
    return;
  }
  if (!IsFoldable(files.directory_kind())) {
    file->obstacle = "file_system";
    return;
  }
  // Not OpenUntrustedFile: what it refuses is what is looked at here.
  const UniqueFd fd(::openat(files.directory_fd(), file->name.c_str(),
                             O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  struct stat opened;
  if (!fd.valid() || ::fstat(fd.get(), &opened) != 0 ||
      opened.st_ino != file->inode || !S_ISREG(opened.st_mode)) {
    file->obstacle = "cannot_open";
  } else if (!IsLifeLockFree(fd.get())) {
    file->obstacle = "lock_held";
  } else if (!MayRemove(files.directory_fd(), info.st_uid)) {
    file->obstacle = "no_right_to_remove";
  }
}

}  // namespace

std::vector<QuarantinedFile> ListQuarantined(const FileSet& files) {
  std::vector<QuarantinedFile> list;
  for (const RefusedFile& refused : files.RefusedFiles()) {
    QuarantinedFile& file = list.emplace_back();
    file.name = refused.name;
    file.inode = refused.inode;
    file.reason = refused.reason;
  }
  for (const auto& [name, leftover] : files.leftovers()) {
    if (leftover.is_kept) {
      QuarantinedFile& file = list.emplace_back();
      file.name = name;
      file.inode = leftover.inode;
      file.reason = "folded";
    }
  }
  for (QuarantinedFile& file : list) {
    Examine(files, &file);
  }
  list.erase(std::remove_if(list.begin(), list.end(),
                            [](const QuarantinedFile& file) {
                              return file.obstacle == "gone";
                            }),
             list.end());
  std::sort(list.begin(), list.end(),
            [](const QuarantinedFile& a, const QuarantinedFile& b) {
              return a.name < b.name;
            });
  return list;
}

bool RemoveQuarantined(const QuarantinedFile& file, FileSet* files) {
  if (!file.obstacle.empty() ||
      !RemoveIfSame(files->directory_fd(), file.name, file.inode)) {
    return false;
  }
  files->Look(file.name, /*may_be_dead=*/false);
  return true;
}

}  // namespace tine::collector
