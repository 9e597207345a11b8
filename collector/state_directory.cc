#include "collector/state_directory.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <random>

#include "absl/strings/str_cat.h"

namespace tine::collector {
namespace {

constexpr int kOpenFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

// Where the state directory's name is.
struct Place {
  int base_fd;
  std::string name;
};

absl::Status ErrnoStatus(const std::string& name, int error) {
  const std::string message =
      absl::StrCat("state directory ", name, ": ", std::strerror(error));
  switch (error) {
    case ENOENT:
      return absl::NotFoundError(message);
    case EACCES:
    case EPERM:
      return absl::PermissionDeniedError(message);
    default:
      return absl::UnavailableError(message);
  }
}

// So there is none.
absl::Status CannotMake(const std::string& name, int error) {
  return absl::NotFoundError(absl::StrCat(
      "state directory ", name, " cannot be made: ", std::strerror(error)));
}

// Whose it must be. Root works for the owner of the metrics directory.
bool IsOurs(const struct stat& info, const struct stat& metrics_directory) {
  return info.st_uid == ::geteuid() ||
         (::geteuid() == 0 && info.st_uid == metrics_directory.st_uid);
}

absl::StatusOr<UniqueFd> OpenAndCheck(const Place& place,
                                      const struct stat& metrics_directory) {
  UniqueFd fd(::openat(place.base_fd, place.name.c_str(), kOpenFlags));
  struct stat info;
  if (!fd.valid()) {
    const int error = errno;
    // Not a directory, a link to one, or somebody else's: a squat.
    if (error == ENOTDIR || error == ELOOP ||
        (error == EACCES &&
         ::fstatat(place.base_fd, place.name.c_str(), &info,
                   AT_SYMLINK_NOFOLLOW) == 0 &&
         info.st_uid != metrics_directory.st_uid)) {
      return absl::FailedPreconditionError(absl::StrCat(
          "state directory ", place.name, " is no directory of this user's"));
    }
    return ErrnoStatus(place.name, error);
  }
  if (::fstat(fd.get(), &info) != 0) {
    return ErrnoStatus(place.name, errno);
  }
  if (!IsOurs(info, metrics_directory)) {
    return absl::FailedPreconditionError(
        absl::StrCat("state directory ", place.name, " belongs to user ",
                     info.st_uid, ", not to this one"));
  }
  if ((info.st_mode & 077) != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("state directory ", place.name,
                     " is open to other users: chmod 700 it"));
  }
  return fd;
}

absl::Status MakeDirectory(const Place& place,
                           const struct stat& metrics_directory) {
  if (::mkdirat(place.base_fd, place.name.c_str(), 0700) != 0) {
    return errno == EEXIST ? absl::OkStatus() : CannotMake(place.name, errno);
  }
  // Made by root for somebody else: that one must be able to go on with it.
  if (::geteuid() == 0 && metrics_directory.st_uid != 0 &&
      ::fchownat(place.base_fd, place.name.c_str(), metrics_directory.st_uid,
                 metrics_directory.st_gid, AT_SYMLINK_NOFOLLOW) != 0) {
    const int error = errno;
    ::unlinkat(place.base_fd, place.name.c_str(), AT_REMOVEDIR);
    return CannotMake(place.name, error);
  }
  return absl::OkStatus();
}

bool MoveSquatterAway(const Place& place) {
  struct stat info;
  if (::fstatat(place.base_fd, place.name.c_str(), &info,
                AT_SYMLINK_NOFOLLOW) != 0 ||
      (S_ISDIR(info.st_mode) && info.st_uid == ::geteuid())) {
    return false;  // our own, with a wrong mode: for its owner to decide
  }
  char refused[64];
  std::snprintf(refused, sizeof(refused), "%s.refused-%08x",
                kStateDirectoryName, std::random_device{}());
  return ::renameat(place.base_fd, place.name.c_str(), place.base_fd,
                    refused) == 0;
}

}  // namespace

absl::StatusOr<OpenedStateDirectory> OpenStateDirectory(
    int metrics_directory_fd, const std::string& path, bool may_create) {
  struct stat metrics_directory;
  if (::fstat(metrics_directory_fd, &metrics_directory) != 0) {
    return ErrnoStatus("", errno);
  }
  const Place place = path.empty()
                          ? Place{metrics_directory_fd, kStateDirectoryName}
                          : Place{AT_FDCWD, path};
  OpenedStateDirectory result;
  auto fd = OpenAndCheck(place, metrics_directory);
  if (!fd.ok() && may_create && path.empty() &&
      absl::IsFailedPrecondition(fd.status())) {
    result.has_moved_squatter = MoveSquatterAway(place);
  }
  if (!fd.ok() && may_create &&
      (absl::IsNotFound(fd.status()) || result.has_moved_squatter)) {
    const absl::Status status = MakeDirectory(place, metrics_directory);
    if (!status.ok()) {
      return status;
    }
    fd = OpenAndCheck(place, metrics_directory);
  }
  if (!fd.ok()) {
    return fd.status();
  }
  result.fd = *std::move(fd);
  return result;
}

}  // namespace tine::collector
