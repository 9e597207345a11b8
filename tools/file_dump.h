#ifndef TINE_TOOLS_FILE_DUMP_H_
#define TINE_TOOLS_FILE_DUMP_H_

#include <ostream>
#include <string>

#include "tools/metric_file_reader.h"

namespace tine::tools {

// Everything in the file, for people: header, each record with its offset, the
// series' values, damage.
void DumpFile(const MetricFileReader& file, std::ostream& out);

// "sound", or "damage: REASON at offset N". `name` is the file's, without its
// directory: if it carries a uuid, that must be the header's. False: damage.
bool VerifyFile(const MetricFileReader& file, const std::string& name,
                std::string* verdict);

// "REASON at offset N".
std::string DamageText(const Damage& damage);

// The process labels: `app="web",zone="b"`, safe to print.
std::string ProcessLabelsText(const FileHeaderView& header);

}  // namespace tine::tools

#endif  // TINE_TOOLS_FILE_DUMP_H_
