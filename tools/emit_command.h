#ifndef TINE_TOOLS_EMIT_COMMAND_H_
#define TINE_TOOLS_EMIT_COMMAND_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/record_layout.h"

namespace tine::tools {

// One change to one series, as a command line says it. What was not said is
// empty.
struct EmitCommand {
  format::MetricType type = format::MetricType::kNone;
  std::string name;
  // Sorted by name, so that their order on the line does not matter.
  std::vector<std::pair<std::string, std::string>> labels;

  // Counter: `whole` if is_whole, else `real`. Up-down counter: `whole`, the
  // bits of an i64. Any other: `real`.
  bool is_whole = false;
  uint64_t whole = 0;
  double real = 0;

  bool is_add = false;  // gauge --op=add
  std::optional<format::GaugeMode> mode;
  std::optional<std::vector<double>> buckets;
  std::optional<std::string> help_text;
  std::optional<std::string> unit;
};

// Understands `counter NAME [LABEL=VALUE ...] ADD [--flag=value ...]` and its
// like; flags may stand anywhere behind the first word. False: `error` says
// what is wrong.
bool ParseEmitCommand(const std::vector<std::string>& words,
                      EmitCommand* command, std::string* error);

// "app=x,b=y" as pairs. False if an item has no "=".
bool ParseLabelList(std::string_view text,
                    std::vector<std::pair<std::string, std::string>>* labels);

// The commands, as help shows them.
extern const char kEmitCommandHelp[];

}  // namespace tine::tools

#endif  // TINE_TOOLS_EMIT_COMMAND_H_
