// The files that are followed by the uuid of their writer, which each should
// have alone.

#ifndef TINE_COLLECTOR_FILES_BY_UUID_H_
#define TINE_COLLECTOR_FILES_BY_UUID_H_

#include <unordered_map>
#include <vector>

#include "collector/archive.h"
#include "collector/file_opener.h"
#include "collector/liveness.h"
#include "collector/metric_file.h"
#include "common/metric_file_name.h"

namespace tine::collector {

// Of two files of one owner with one uuid, the one that was born first is the
// original and the other a copy of it, which must not count twice. (A writer
// that makes its file after the collector has seen another's cannot take its
// place.) Those of different owners are no duplicates, unless one says that it
// is the other owner's. Not thread-safe.
class FilesByUuid {
 public:
  // `probe` lives longer.
  explicit FilesByUuid(const LivenessProbe* probe) : probe_(probe) {}

  // `file` is not quarantined, and lives until it is removed.
  void Add(MetricFile* file) { files_.emplace(file->writer().uuid, file); }
  void Remove(const MetricFile& file);

  // The very file, whatever it is called now; nothing if it is not known.
  MetricFile* FindSame(const FileUuid& uuid, const FileFacts& facts) const;

  // How a new file stands to those that are known.
  struct Judgement {
    bool is_copy = false;
    std::vector<MetricFile*> copies;  // known ones that are copies of it
  };
  Judgement Judge(const MetricFile& file) const;

 private:
  bool IsCopyOf(const MetricFile& file, const MetricFile& other) const;

  const LivenessProbe* const probe_;
  std::unordered_multimap<FileUuid, MetricFile*, UuidHash> files_;
};

}  // namespace tine::collector

#endif  // TINE_COLLECTOR_FILES_BY_UUID_H_
