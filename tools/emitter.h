#ifndef TINE_TOOLS_EMITTER_H_
#define TINE_TOOLS_EMITTER_H_

#include <cstdint>
#include <map>
#include <string>

#include "tools/emit_command.h"
#include "writer/tine.h"

namespace tine::tools {

// Carries commands out through the process's writer. One per process; not
// thread-safe.
class Emitter {
 public:
  // Counts the command. True once the change is in a metric file; else `error`
  // says why it is not. What the command leaves open (help, unit, mode,
  // buckets, the kind of counter) is as in the first command for its metric.
  bool Apply(EmitCommand command, std::string* error);

 private:
  // Fills in what the first command said; false on a contradiction.
  bool MakeLikeFirst(EmitCommand* command, std::string* error);
  // Looks the series up and changes it. Not ok: nothing was changed.
  Status Change(const EmitCommand& command) const;

  std::map<std::string, EmitCommand> first_by_name_;
};

}  // namespace tine::tools

#endif  // TINE_TOOLS_EMITTER_H_
