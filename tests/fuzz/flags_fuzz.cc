// Values of the collector's flags: a listen address, a telemetry path, a
// pattern. An address that is taken is the same after it was written out.

#include <cstdint>
#include <string>
#include <string_view>

#include "collector/endpoints.h"
#include "collector/listen_address.h"
#include "collector/series_filter.h"
#include "tests/fuzz/fuzz_check.h"

using tine::testing::FuzzCheck;

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto address = tine::collector::ParseListenAddress(text);
  if (address.ok()) {
    const auto again = tine::collector::ParseListenAddress(
        tine::collector::FormatListenAddress(*address));
    FuzzCheck(again.ok() && again->host == address->host &&
                  again->port == address->port,
              "the address is another one: " + text);
  }
  const bool is_path = tine::collector::CheckTelemetryPath(text).ok();
  FuzzCheck(!is_path || text[0] == '/', "not a path");
  const auto filter = tine::collector::SeriesFilter::Parse({text}, {});
  if (filter.ok()) {
    filter->Matches("http_requests_total");
  }
  return 0;
}
