#include "tools/audit_sources.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "collector/archive_layout.h"
#include "collector/file_opener.h"
#include "collector/liveness.h"
#include "common/metric_file_name.h"
#include "tools/archive_records.h"
#include "tools/file_dump.h"
#include "tools/metric_file_reader.h"
#include "tools/series_text.h"
#include "tools/writer_table.h"

namespace tine::tools {
namespace {

using collector::HostIdentity;
using collector::Liveness;
using collector::LivenessProbe;
using format::GaugeMode;

constexpr char kArchiveName[] = "archive";

// What all series of one file share.
struct Source {
  const MetricFileReader* file;
  AuditShare share;  // the parts that are alike
  std::map<std::string, std::string> process_labels;
  std::string pid_label;
};

AuditKey KeyOf(const Source& source, const FamilyEntry& family,
               const SeriesEntry& series) {
  AuditKey key;
  key.family = family.name;
  key.labels = source.process_labels;
  for (size_t i = 0; i < family.label_names.size(); ++i) {
    key.labels[family.label_names[i]] = series.label_values[i];
  }
  if (!source.pid_label.empty() && (family.gauge_mode == GaugeMode::kAll ||
                                    family.gauge_mode == GaugeMode::kLiveAll)) {
    key.labels["pid"] = source.pid_label;
  }
  for (auto it = key.labels.begin(); it != key.labels.end();) {
    it = it->second.empty() ? key.labels.erase(it) : std::next(it);
  }
  return key;
}

void AddShares(const Source& source,
               const std::map<uint32_t, collector::WriterRank>& origins,
               AuditSources* sources) {
  for (const SeriesEntry& series : source.file->series()) {
    const FamilyEntry& family = source.file->families()[series.family_number];
    AuditShare share = source.share;
    share.type = family.type;
    share.kind = family.value_kind;
    share.mode = family.gauge_mode;
    share.bounds = family.bounds;
    share.rows = source.file->ReadCells(series);
    share.text = SeriesValue(family, share.rows);
    const auto origin = origins.find(series.first_cell);
    if (origin != origins.end()) {
      share.rank = origin->second;
    }
    sources->shares[KeyOf(source, family, series)].push_back(std::move(share));
  }
}

bool ReadArchive(int state_directory_fd, AuditSources* sources,
                 std::vector<format::FoldedEntry>* folded, std::string* error) {
  MetricFileReader file;
  if (state_directory_fd < 0 || (::faccessat(state_directory_fd, kArchiveName,
                                             F_OK, AT_SYMLINK_NOFOLLOW) != 0 &&
                                 errno == ENOENT)) {
    return true;
  }
  if (!file.Open(state_directory_fd, kArchiveName, error)) {
    error->insert(0, "the archive: ");
    return false;
  }
  std::string verdict;
  if (!file.is_archive() || !VerifyFile(file, kArchiveName, &verdict)) {
    *error = "the archive: " + (verdict.empty() ? "it is none" : verdict);
    return false;
  }
  const format::ArchiveRecord head = ReadArchiveHead(file);
  sources->generation = head.generation;
  sources->lineage.assign(head.lineage, head.lineage + sizeof(head.lineage));
  *folded =
      ReadArchiveLists<format::FoldedEntry>(file, format::RecordKind::kFolded);
  std::map<uint32_t, collector::WriterRank> origins;
  for (const auto& entry : ReadArchiveLists<format::OriginEntry>(
           file, format::RecordKind::kOrigins)) {
    collector::WriterRank& rank = origins[entry.first_cell];
    rank.created_wall_ns = entry.writer_created_wall_ns;
    std::memcpy(rank.uuid.bytes, entry.writer_uuid, sizeof(rank.uuid.bytes));
  }
  Source source;
  source.file = &file;
  source.share.source = kArchiveName;
  AddShares(source, origins, sources);
  return true;
}

// All four must match.
bool IsOnList(int directory_fd, const std::string& name,
              const std::vector<format::FoldedEntry>& folded) {
  const FileUuid uuid = ParseMetricFileName(name)->uuid;
  const collector::OpenedFile opened =
      collector::OpenUntrustedFile(directory_fd, name.c_str(), UINT64_MAX);
  for (const format::FoldedEntry& entry : folded) {
    if (std::memcmp(entry.uuid, uuid.bytes, sizeof(entry.uuid)) == 0 &&
        entry.inode == opened.facts.inode &&
        entry.birth_ns == opened.facts.birth_ns &&
        entry.owner_uid == opened.facts.owner_uid) {
      return true;
    }
  }
  return false;
}

std::string PidLabel(const FileHeaderView& header) {
  if (!header.worker_id.empty()) {
    return std::string(header.worker_id);
  }
  std::string label = std::to_string(header.header->pid);
  if (!LivenessProbe(HostIdentity::OfThisProcess())
           .IsPidOfThisNamespace(collector::CopyWriterIdentity(header))) {
    char uuid[kUuidTextBytes];
    FormatUuid(header.uuid(), uuid);
    label.append("-").append(uuid, 8);
  }
  return label;
}

void ReadOne(int directory_fd, const std::string& name,
             const std::vector<format::FoldedEntry>& folded,
             AuditSources* sources) {
  MetricFileReader file;
  std::string error;
  if (!file.Open(directory_fd, name, &error)) {
    sources->notes.push_back(name + ": " + error);
    return;
  }
  std::string verdict;
  if (!VerifyFile(file, name, &verdict)) {
    sources->notes.push_back(name + ": " + verdict);
  }
  if (!file.has_header()) {
    return;
  }
  const Liveness life = file.ProbeLife();
  if (life != Liveness::kLive && IsOnList(directory_fd, name, folded)) {
    sources->folded.insert(name);
    return;
  }
  sources->files.insert(name);
  Source source;
  source.file = &file;
  source.share.source = name;
  source.share.state = collector::LivenessName(life);
  source.share.is_dead = life == Liveness::kDead;
  source.share.rank.is_live = !source.share.is_dead;
  source.share.rank.created_wall_ns = file.header().header->created_wall_ns;
  source.share.rank.uuid = file.header().uuid();
  const StringListView labels = file.header().process_labels;
  for (auto it = labels.begin(); it != labels.end(); ++it) {
    const std::string label(*it);
    ++it;
    source.process_labels[label] = std::string(*it);
  }
  source.pid_label = PidLabel(file.header());
  AddShares(source, {}, sources);
}

}  // namespace

bool ReadAuditSources(int directory_fd, int state_directory_fd,
                      AuditSources* sources, std::string* error) {
  *sources = AuditSources();
  std::vector<format::FoldedEntry> folded;
  std::vector<std::string> names;
  if (!ReadArchive(state_directory_fd, sources, &folded, error) ||
      !ListMetricFiles(directory_fd, &names, error)) {
    return false;
  }
  for (const std::string& name : names) {
    ReadOne(directory_fd, name, folded, sources);
  }
  return true;
}

}  // namespace tine::tools
