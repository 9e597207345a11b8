#include "common/boot_id.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstring>
#include <string_view>

#include "common/metric_file_name.h"
#include "common/retry_if_interrupted.h"
#include "common/unique_fd.h"

namespace tine {

BootId OwnBootId() noexcept {
  BootId result{};
  const UniqueFd fd(RetryIfInterrupted([] {
    return ::open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
  }));
  char text[kUuidTextBytes + 4];  // with dashes
  if (!fd.valid() || RetryIfInterrupted([&] {
                       return ::read(fd.get(), text, sizeof(text));
                     }) != sizeof(text)) {
    return result;
  }
  char digits[kUuidTextBytes];
  size_t count = 0;
  for (const char c : text) {
    if (c != '-' && count < sizeof(digits)) {
      digits[count++] = c;
    }
  }
  const auto uuid = ParseUuid(std::string_view(digits, count));
  if (uuid.has_value()) {
    std::memcpy(result.data(), uuid->bytes, result.size());
  }
  return result;
}

}  // namespace tine
