#include "tools/audit_sources.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "collector/archive_layout.h"
#include "collector/file_opener.h"
#include "collector/liveness.h"
#include "common/clock.h"
#include "common/metric_file_name.h"
#include "common/metric_names.h"
#include "common/record_codec.h"
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
using format::MetricType;

constexpr char kArchiveName[] = "archive";

// No time to live is taken for longer (three decades).
constexpr double kLongestTimeS = 1e9;

// What the archive's ORIGINS say of a series.
struct Origin {
  collector::WriterRank rank;
  uint64_t expires_wall_ns = 0;
};

// What all series of one file share.
struct Source {
  const MetricFileReader* file;
  AuditShare share;  // the parts that are alike
  std::map<std::string, std::string> process_labels;
  std::string pid_label;
  uint32_t taken_before = 0;  // of its REMOVED records
  bool is_boot_clock_shared = false;
  std::map<uint32_t, Origin> origins;  // by first cell
};

// Files whose numbers the archive has, all of them or those of removed series.
struct ArchivedFiles {
  std::vector<format::FoldedEntry> folded;
  std::vector<format::FoldedEntry> taken;
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

// Series that count for nothing: gauges of either kind that were removed, and
// what else was removed and is in the archive already.
std::set<size_t> GoneSeries(const Source& source) {
  std::set<size_t> gone;
  for (const RecordEntry& record : source.file->records()) {
    if (record.kind != static_cast<uint16_t>(format::RecordKind::kRemoved)) {
      continue;
    }
    const size_t number = source.file->removed()[record.index].series_number;
    const SeriesEntry& series = source.file->series()[number];
    const MetricType type = source.file->families()[series.family_number].type;
    if (IsSetType(type) || type == MetricType::kUpDownCounter ||
        record.offset < source.taken_before) {
      gone.insert(number);
    }
  }
  return gone;
}

// When it was set is in the last cell, by the writer's boot clock.
bool IsTooOld(const Source& source, const FamilyEntry& family,
              const SeriesEntry& series, const AuditShare& share) {
  if (family.time_to_live_s != 0) {
    const format::FileHeader& header = *source.file->header().header;
    const uint64_t now_ns = source.is_boot_clock_shared
                                ? NowNs(CLOCK_BOOTTIME)
                                : NowNs(CLOCK_REALTIME) -
                                      header.created_wall_ns +
                                      header.created_boot_ns;
    const uint64_t set_ns = share.rows[0].back();
    return set_ns == 0 ||
           static_cast<double>(static_cast<int64_t>(now_ns - set_ns)) >=
               std::min(family.time_to_live_s, kLongestTimeS) * 1e9;
  }
  const auto origin = source.origins.find(series.first_cell);
  return origin != source.origins.end() &&
         origin->second.expires_wall_ns != 0 &&
         origin->second.expires_wall_ns <= NowNs(CLOCK_REALTIME);
}

// A state is as a gauge with a label more.
void AddStates(const FamilyEntry& family, const AuditKey& key,
               const AuditShare& share, AuditSources* sources) {
  const std::vector<uint64_t>& row = share.rows[0];
  const bool is_recent = IsMostRecentMode(family.gauge_mode);
  for (size_t i = 0; i < family.state_names.size(); ++i) {
    const bool is_true = (row[0] >> i & 1) != 0;
    AuditShare state = share;
    state.kind = format::ValueKind::kF64;
    state.rows = {{EncodeGaugeCell(is_true ? 1 : 0)}};
    if (is_recent) {
      state.rows[0][0] = row[1] == 0 ? 0 : state.rows[0][0];
      state.rows[0].push_back(row[1]);
    }
    state.text = is_true ? "1" : "0";
    AuditKey state_key = key;
    state_key.labels[family.name] = family.state_names[i];
    sources->shares[state_key].push_back(std::move(state));
  }
}

void AddShares(const Source& source, AuditSources* sources) {
  const std::set<size_t> gone = GoneSeries(source);
  for (size_t i = 0; i < source.file->series().size(); ++i) {
    const SeriesEntry& series = source.file->series()[i];
    const FamilyEntry& family = source.file->families()[series.family_number];
    if (gone.count(i) != 0) {
      continue;
    }
    AuditShare share = source.share;
    share.type = family.type;
    share.kind = family.value_kind;
    share.mode = family.gauge_mode;
    share.bounds = family.bounds;
    share.created_wall_ns = series.created_wall_ns;
    share.rows = source.file->ReadCells(series);
    share.text = SeriesValue(family, share.rows);
    share.is_too_old = IsTooOld(source, family, series, share);
    const auto origin = source.origins.find(series.first_cell);
    if (origin != source.origins.end()) {
      share.rank = origin->second.rank;
    }
    const AuditKey key = KeyOf(source, family, series);
    if (family.state_names.empty()) {
      sources->shares[key].push_back(std::move(share));
    } else {
      AddStates(family, key, share, sources);
    }
  }
}

// A state that a writer does not know is false there: of each set, all states
// that somebody knows. (So who wins in one state wins in all.)
void CompleteStateSets(AuditSources* sources) {
  struct Set {
    std::map<std::string, std::vector<AuditShare>> shares;  // by state
  };
  std::map<AuditKey, Set> sets;
  for (const auto& [key, shares] : sources->shares) {
    for (const AuditShare& share : shares) {
      const auto state = key.labels.find(key.family);
      if (share.type == MetricType::kStateSet && state != key.labels.end()) {
        AuditKey set_key = key;
        set_key.labels.erase(key.family);
        sets[set_key].shares[state->second].push_back(share);
      }
    }
  }
  for (const auto& [set_key, set] : sets) {
    for (const auto& [state, own] : set.shares) {
      AuditKey key = set_key;
      key.labels[key.family] = state;
      std::vector<AuditShare>& here = sources->shares[key];
      for (const auto& [other_state, shares] : set.shares) {
        for (const AuditShare& share : shares) {
          const auto is_same = [&share](const AuditShare& known) {
            return known.source == share.source &&
                   known.rank.uuid == share.rank.uuid;
          };
          if (std::none_of(here.begin(), here.end(), is_same)) {
            here.push_back(share);
            uint64_t& cell = here.back().rows[0][0];
            cell = cell == 0 ? 0 : EncodeGaugeCell(0);
            here.back().text = "0 (unknown to it)";
          }
        }
      }
    }
  }
}

bool ReadArchive(int state_directory_fd, AuditSources* sources,
                 ArchivedFiles* archived, std::string* error) {
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
  archived->folded =
      ReadArchiveLists<format::FoldedEntry>(file, format::RecordKind::kFolded);
  archived->taken =
      ReadArchiveLists<format::FoldedEntry>(file, format::RecordKind::kTaken);
  Source source;
  for (const auto& entry : ReadArchiveLists<format::OriginEntry>(
           file, format::RecordKind::kOrigins)) {
    Origin& origin = source.origins[entry.first_cell];
    origin.expires_wall_ns = entry.expires_wall_ns;
    collector::WriterRank& rank = origin.rank;
    rank.created_wall_ns = entry.writer_created_wall_ns;
    std::memcpy(rank.uuid.bytes, entry.writer_uuid, sizeof(rank.uuid.bytes));
  }
  source.file = &file;
  source.share.source = kArchiveName;
  AddShares(source, sources);
  return true;
}

// Null: it is not there. All four must match.
const format::FoldedEntry* FindOnList(
    int directory_fd, const std::string& name,
    const std::vector<format::FoldedEntry>& list) {
  const FileUuid uuid = ParseMetricFileName(name)->uuid;
  const collector::OpenedFile opened =
      collector::OpenUntrustedFile(directory_fd, name.c_str(), UINT64_MAX);
  for (const format::FoldedEntry& entry : list) {
    if (std::memcmp(entry.uuid, uuid.bytes, sizeof(entry.uuid)) == 0 &&
        entry.inode == opened.facts.inode &&
        entry.birth_ns == opened.facts.birth_ns &&
        entry.owner_uid == opened.facts.owner_uid) {
      return &entry;
    }
  }
  return nullptr;
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
             const ArchivedFiles& archived, AuditSources* sources) {
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
  if (life != Liveness::kLive &&
      FindOnList(directory_fd, name, archived.folded) != nullptr) {
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
  const format::FoldedEntry* taken =
      FindOnList(directory_fd, name, archived.taken);
  source.taken_before = taken == nullptr ? 0 : taken->taken_before;
  source.is_boot_clock_shared =
      LivenessProbe(HostIdentity::OfThisProcess())
          .IsBootClockShared(collector::CopyWriterIdentity(file.header()));
  AddShares(source, sources);
}

}  // namespace

bool ReadAuditSources(int directory_fd, int state_directory_fd,
                      AuditSources* sources, std::string* error) {
  *sources = AuditSources();
  ArchivedFiles archived;
  std::vector<std::string> names;
  if (!ReadArchive(state_directory_fd, sources, &archived, error) ||
      !ListMetricFiles(directory_fd, &names, error)) {
    return false;
  }
  for (const std::string& name : names) {
    ReadOne(directory_fd, name, archived, sources);
  }
  CompleteStateSets(sources);
  return true;
}

}  // namespace tine::tools
