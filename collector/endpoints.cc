#include "collector/endpoints.h"

#include <memory>
#include <utility>

#include "collector/log.h"
#include "collector/shared_render.h"
#include "collector/text_encoder.h"
#include "version.h"

namespace tine::collector {
namespace {

constexpr char kLandingPath[] = "/";
constexpr char kHealthyPath[] = "/-/healthy";
constexpr char kReadyPath[] = "/-/ready";
constexpr char kNotReady[] =
    "not ready: the metric files have not all been read yet";

std::string EscapeHtml(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

std::string Link(std::string_view path, std::string_view text) {
  return "<li><a href=\"" + EscapeHtml(path) + "\">" + EscapeHtml(text) +
         "</a></li>\n";
}

std::string LandingPage(const std::string& telemetry_path) {
  return std::string(
             "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n"
             "<meta charset=\"utf-8\">\n<title>Tine collector</title>\n"
             "</head>\n<body>\n<h1>Tine collector</h1>\n"
             "<p>One Prometheus answer for programs that run as many "
             "processes.</p>\n<p>Version ") +
         kVersion + "</p>\n<ul>\n" + Link(telemetry_path, "Metrics") +
         Link(kHealthyPath, "Health") + Link(kReadyPath, "Readiness") +
         "</ul>\n</body>\n</html>\n";
}

HttpHandler MetricsHandler(EndpointSources sources) {
  auto render = std::make_shared<SharedRender>(std::move(sources.render));
  return [render = std::move(render),
          is_ready = std::move(sources.is_ready)](const HttpRequest&) {
    if (!is_ready()) {
      return PlainTextResponse(503, kNotReady);
    }
    try {
      return HttpResponse{200, std::string(TextEncoder::kContentType),
                          render->Get()};
    } catch (const std::exception& error) {
      LogError("scrape failed", {{"error", error.what()}});
      throw;  // the server answers 500
    }
  };
}

}  // namespace

absl::Status CheckTelemetryPath(std::string_view path) {
  std::string problem;
  if (path.empty() || path[0] != '/') {
    problem = "the path must begin with a slash";
  } else if (path.find_first_of("?# \t\n%") != std::string_view::npos) {
    problem = "the path must be plain: no query, no blanks, no escapes";
  } else if (path == kHealthyPath || path == kReadyPath) {
    problem = "the path is taken";
  } else {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError("--web.telemetry-path=\"" +
                                    std::string(path) + "\": " + problem);
}

HttpHandlers MakeEndpoints(const std::string& telemetry_path,
                           EndpointSources sources) {
  HttpHandlers handlers;
  handlers[kLandingPath] =
      [page = std::make_shared<const std::string>(LandingPage(telemetry_path))](
          const HttpRequest&) {
        return HttpResponse{200, "text/html; charset=utf-8", page};
      };
  handlers[kHealthyPath] = [](const HttpRequest&) {
    return PlainTextResponse(200, "healthy");
  };
  handlers[kReadyPath] = [is_ready = sources.is_ready](const HttpRequest&) {
    return is_ready() ? PlainTextResponse(200, "ready")
                      : PlainTextResponse(503, kNotReady);
  };
  handlers[telemetry_path] = MetricsHandler(std::move(sources));
  return handlers;
}

}  // namespace tine::collector
