// What each file in a metrics directory says of each series, read without the
// collector's reading and merging: for an audit of those.

#ifndef TINE_TOOLS_AUDIT_SOURCES_H_
#define TINE_TOOLS_AUDIT_SOURCES_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "collector/writer_identity.h"
#include "common/record_layout.h"

namespace tine::tools {

// Family, then labels by name, none of them empty.
struct AuditKey {
  std::string family;
  std::map<std::string, std::string> labels;

  friend bool operator==(const AuditKey& a, const AuditKey& b) {
    return a.family == b.family && a.labels == b.labels;
  }
  friend bool operator<(const AuditKey& a, const AuditKey& b) {
    return a.family != b.family ? a.family < b.family : a.labels < b.labels;
  }
};

// One file's share of one series.
struct AuditShare {
  std::string source;  // "archive" or the file's name
  std::string state;   // of its writer: live, dead, ...; empty: the archive
  bool is_dead = false;
  bool is_too_old = false;  // by the family's time to live
  uint64_t created_wall_ns = 0;
  format::MetricType type;
  format::ValueKind kind;
  format::GaugeMode mode;
  std::vector<double> bounds;
  std::vector<std::vector<uint64_t>> rows;  // its cells, slot by slot
  collector::WriterRank rank;               // which gauge wins
  std::string text;                         // what the cells come to

  friend bool operator==(const AuditShare& a, const AuditShare& b) {
    return a.source == b.source && a.is_dead == b.is_dead &&
           a.is_too_old == b.is_too_old && a.rows == b.rows;
  }
};

struct AuditSources {
  uint64_t generation = 0;  // of the archive; 0: there is none
  std::vector<uint8_t> lineage;
  std::map<AuditKey, std::vector<AuditShare>> shares;
  std::set<std::string> files;     // that add to `shares`, or would
  std::set<std::string> folded;    // whose numbers are in the archive already
  std::vector<std::string> notes;  // damage, files that cannot be read
};

// False: `error` says what is wrong with the archive or the directory.
// `state_directory_fd` -1: there is none.
bool ReadAuditSources(int directory_fd, int state_directory_fd,
                      AuditSources* sources, std::string* error);

}  // namespace tine::tools

#endif  // TINE_TOOLS_AUDIT_SOURCES_H_
