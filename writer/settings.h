#ifndef TINE_WRITER_SETTINGS_H_
#define TINE_WRITER_SETTINGS_H_

#include <string_view>
#include <vector>

#include "writer/process_state.h"
#include "writer/status.h"
#include "writer/string_span.h"

namespace tine::internal {

// Reads the environment (see tine.h), the executable's name and the boot id.
// What is wrong in the environment is told on stderr and ignored; a word in
// TINE_STORE that is no store is noted in `*problem` too, a constant text, or
// null. `store` wins over it unless it is kDefault. False: TINE_DISABLE, or
// Store::kNone. Not async-signal-safe.
bool ReadEnvironment(Settings* settings, Store store, const char** problem);

// The variable as a whole number from `low` to `high`; `default_value` when it
// is not set, or (told on stderr) when it is anything else.
uint64_t NumberFromEnvironment(const char* name, uint64_t low, uint64_t high,
                               uint64_t default_value);

Status SetDirectory(Settings* settings, std::string_view directory);
Status SetWorkerId(Settings* settings, std::string_view worker_id);
// Adds to the process labels; a name that is there already gets the new value.
Status AddProcessLabels(Settings* settings,
                        const std::vector<LabelPair>& labels);
// Is `name` a process label that the program itself set? A family may not use
// it; one from the environment it may, and wins.
bool IsProgramLabel(const Settings& settings, std::string_view name) noexcept;

}  // namespace tine::internal

#endif  // TINE_WRITER_SETTINGS_H_
