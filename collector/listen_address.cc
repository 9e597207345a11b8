#include "collector/listen_address.h"

#include <charconv>
#include <optional>

namespace tine::collector {
namespace {

absl::Status Malformed(std::string_view text, std::string_view problem) {
  std::string message = "listen address \"";
  message.append(text).append("\": ").append(problem);
  return absl::InvalidArgumentError(message);
}

std::optional<uint16_t> ParsePort(std::string_view text) {
  uint16_t port = 0;
  const char* const end = text.data() + text.size();
  const std::from_chars_result result = std::from_chars(text.data(), end, port);
  if (text.empty() || result.ec != std::errc() || result.ptr != end) {
    return std::nullopt;
  }
  return port;
}

bool IsPlausibleHost(std::string_view host) {
  for (const char c : host) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= ' ' || byte == 0x7f || c == '/' || c == '[' || c == ']') {
      return false;
    }
  }
  return true;
}

}  // namespace

absl::StatusOr<ListenAddress> ParseListenAddress(std::string_view text) {
  const size_t colon = text.rfind(':');
  const bool has_bracket = !text.empty() && text[0] == '[';
  const size_t bracket = has_bracket ? text.find(']') : 0;
  if (has_bracket && bracket == std::string_view::npos) {
    return Malformed(text, "the closing bracket is missing");
  }
  if (colon == std::string_view::npos || colon < bracket) {
    return Malformed(text, "the port is missing; expected HOST:PORT or :PORT");
  }
  std::string_view host = text.substr(0, colon);
  if (has_bracket) {
    if (bracket + 1 != colon || bracket == 1) {
      return Malformed(text, "expected [ADDRESS]:PORT");
    }
    host = text.substr(1, bracket - 1);
  } else if (host.find(':') != std::string_view::npos) {
    return Malformed(text, "an IPv6 address needs brackets: [ADDRESS]:PORT");
  }
  if (!IsPlausibleHost(host)) {
    return Malformed(text, "not a host name or address");
  }
  const std::optional<uint16_t> port = ParsePort(text.substr(colon + 1));
  if (!port) {
    return Malformed(text, "the port must be a number from 0 to 65535");
  }
  return ListenAddress{std::string(host), *port};
}

std::string FormatListenAddress(const ListenAddress& address) {
  const bool needs_brackets = address.host.find(':') != std::string::npos;
  return (needs_brackets ? "[" + address.host + "]" : address.host) + ":" +
         std::to_string(address.port);
}

}  // namespace tine::collector
