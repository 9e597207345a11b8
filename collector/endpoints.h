// The pages of the collector: what is served under which path.

#ifndef TINE_COLLECTOR_ENDPOINTS_H_
#define TINE_COLLECTOR_ENDPOINTS_H_

#include <functional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "collector/http_server.h"

namespace tine::collector {

// What the pages show. Both functions are called from several threads, `render`
// never twice at a time.
struct EndpointSources {
  std::function<bool()> is_ready;
  // The body of a scrape, text 0.0.4. May throw: that scrape answers 500.
  std::function<std::string()> render;
};

// Is `path` one that --web.telemetry-path may name? It begins with a slash and
// is not taken by another page. `/` is allowed and replaces the landing page.
absl::Status CheckTelemetryPath(std::string_view path);

//   <telemetry_path>  the exposition; 503 until the collector is ready
//   /                 a page for people, with links
//   /-/healthy        200 as long as the process answers
//   /-/ready          200 when every metric file was read, 503 until then
HttpHandlers MakeEndpoints(const std::string& telemetry_path,
                           EndpointSources sources);

}  // namespace tine::collector

#endif  // TINE_COLLECTOR_ENDPOINTS_H_
