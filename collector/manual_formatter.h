#ifndef TINE_COLLECTOR_MANUAL_FORMATTER_H_
#define TINE_COLLECTOR_MANUAL_FORMATTER_H_

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <string>
#include <vector>

namespace tine::collector {

// --help like a manual's page: a flag on a line of its own, its text indented
// below it.
class ManualFormatter : public CLI::Formatter {
 public:
  // `usage`: the program and what follows it.
  explicit ManualFormatter(std::string usage) : usage_(std::move(usage)) {}

  std::string make_usage(const CLI::App* app, std::string name) const override;
  std::string make_description(const CLI::App* app) const override;
  std::string make_group(
      std::string group, bool is_positional,
      std::vector<const CLI::Option*> options) const override;
  std::string make_option(const CLI::Option* option,
                          bool is_positional) const override;
  std::string make_footer(const CLI::App* app) const override;

 private:
  const std::string usage_;
};

}  // namespace tine::collector

#endif  // TINE_COLLECTOR_MANUAL_FORMATTER_H_
