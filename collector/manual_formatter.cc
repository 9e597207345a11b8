#include "collector/manual_formatter.h"

namespace tine::collector {

std::string ManualFormatter::make_usage(const CLI::App* app,
                                        std::string /*name*/) const {
  return "Usage: " + usage_ + "\n\n" + app->get_description() + "\n\n";
}

// Comes before the usage, where it would hide it.
std::string ManualFormatter::make_description(const CLI::App* /*app*/) const {
  return "";
}

std::string ManualFormatter::make_group(
    std::string /*group*/, bool is_positional,
    std::vector<const CLI::Option*> options) const {
  if (is_positional) {
    return "";
  }
  std::string text = "Flags:\n";
  for (const CLI::Option* option : options) {
    text += make_option(option, false);
  }
  return text;
}

std::string ManualFormatter::make_option(const CLI::Option* option,
                                         bool /*is_positional*/) const {
  std::string text = "  " + option->get_name(false, true);
  if (option->get_expected_max() > 0) {
    text += "=" + option->get_type_name();
  }
  text += "\n      ";
  for (const char c : option->get_description()) {
    text += c;
    if (c == '\n') {
      text += "      ";
    }
  }
  return text + "\n";
}

std::string ManualFormatter::make_footer(const CLI::App* app) const {
  return app->get_footer();
}

}  // namespace tine::collector
