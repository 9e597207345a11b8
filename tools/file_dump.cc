#include "tools/file_dump.h"

#include <cstdio>
#include <optional>

#include "collector/liveness.h"
#include "common/metric_file_name.h"
#include "common/metric_names.h"
#include "tools/archive_records.h"
#include "tools/printable.h"
#include "tools/series_text.h"

namespace tine::tools {
namespace {

using format::RecordKind;
using format::ValueKind;

std::string Offset(uint64_t offset) {
  char text[24];
  std::snprintf(text, sizeof(text), "%08llx",
                static_cast<unsigned long long>(offset));
  return text;
}

std::string Hex32(uint32_t number) {
  char text[16];
  std::snprintf(text, sizeof(text), "0x%x", number);
  return text;
}

std::string UuidText(const uint8_t* bytes) {
  FileUuid uuid;
  std::memcpy(uuid.bytes, bytes, sizeof(uuid.bytes));
  char text[kUuidTextBytes];
  FormatUuid(uuid, text);
  return std::string(text, sizeof(text));
}

const char* LifeLockText(format::LifeLock life_lock) {
  switch (life_lock) {
    case format::LifeLock::kHolds:
      return "holds on this file system";
    case format::LifeLock::kDoesNotHold:
      return "does not hold on this file system";
    case format::LifeLock::kUnknown:
      break;
  }
  return "unknown";
}

const char* StateText(uint32_t state) {
  switch (static_cast<format::FileState>(state)) {
    case format::FileState::kLive:
      return "no clean exit yet";
    case format::FileState::kCleanExit:
      return "clean exit";
    case format::FileState::kUnknown:
      break;
  }
  return "unknown";
}

std::string Quoted(std::string_view text) {
  return '"' + Printable(text) + '"';
}

void DumpArchiveHeader(const MetricFileReader& file, std::ostream& out) {
  const format::FileHeader& header = *file.header().header;
  const char* indent = "          ";
  out << Offset(0) << "  HEADER " << header.header_bytes << " bytes, version "
      << header.version_major << '.' << header.version_minor
      << ": what dead writers have left\n"
      << indent << "lineage " << UuidText(header.uuid) << '\n'
      << indent << "used " << file.dynamic().used << " bytes, file size "
      << file.file_bytes() << '\n';
}

void DumpHeader(const MetricFileReader& file, std::ostream& out) {
  const FileHeaderView& view = file.header();
  const format::FileHeader& header = *view.header;
  const DynamicEntry& dynamic = file.dynamic();
  const char* indent = "          ";
  out << Offset(0) << "  HEADER " << header.header_bytes << " bytes, version "
      << header.version_major << '.' << header.version_minor
      << ", flags: compatible " << Hex32(header.compatible_flags)
      << ", incompatible " << Hex32(header.incompatible_flags) << '\n'
      << indent << "uuid " << UuidText(header.uuid) << '\n'
      << indent << "boot id " << UuidText(header.boot_id) << '\n'
      << indent << "pid " << header.pid << " in pid namespace "
      << header.pid_namespace << ", started at tick "
      << header.process_start_ticks << ", uid " << header.uid << '\n'
      << indent << "created " << TimeText(header.created_wall_ns)
      << ", boot clock " << header.created_boot_ns << " ns in time namespace "
      << header.time_namespace << '\n'
      << indent << "executable " << Quoted(view.executable) << ", worker id "
      << Quoted(view.worker_id) << '\n'
      << indent << "process labels {" << ProcessLabelsText(view) << "}\n"
      << indent << "life lock " << LifeLockText(header.life_lock)
      << "; the writer is " << collector::LivenessName(file.ProbeLife()) << ", "
      << StateText(dynamic.state) << '\n'
      << indent << "used " << dynamic.used << " of " << header.reserve_bytes
      << " bytes, file size " << file.file_bytes() << '\n'
      << indent << "dropped: series " << dynamic.dropped_series
      << ", observations " << dynamic.dropped_observations
      << "; children without a file " << dynamic.children_without_file << '\n';
}

const char* ValueKindName(ValueKind kind) {
  switch (kind) {
    case ValueKind::kU64:
      return "u64";
    case ValueKind::kF64:
      return "f64";
    case ValueKind::kI64:
      return "i64";
    case ValueKind::kNone:
      break;
  }
  return "none";
}

void DumpFamily(const FamilyEntry& family, std::ostream& out) {
  out << InstrumentName(family.type) << ' ' << ValueKindName(family.value_kind);
  if (family.gauge_mode != format::GaugeMode::kNone) {
    out << ' ' << GaugeModeName(family.gauge_mode);
  }
  out << ' ' << family.name;
  for (size_t i = 0; i < family.label_names.size(); ++i) {
    out << (i == 0 ? '{' : ',') << family.label_names[i];
  }
  out << (family.label_names.empty() ? "" : "}");
  if (family.type == format::MetricType::kHistogram) {
    out << ", buckets";
    for (const double bound : family.bounds) {
      out << ' ' << NumberText(bound);
    }
    out << " +Inf";
  }
  for (size_t i = 0; i < family.state_names.size(); ++i) {
    out << (i == 0 ? ", states " : " ") << Quoted(family.state_names[i]);
  }
  if (family.time_to_live_s != 0) {
    out << ", time to live " << NumberText(family.time_to_live_s) << " s";
  }
  if (!family.unit.empty()) {
    out << ", unit " << Quoted(family.unit);
  }
  out << ", help " << Quoted(family.help);
}

void DumpArchiveRecord(const MetricFileReader& file, const RecordEntry& record,
                       std::ostream& out) {
  const format::ArchiveRecord head = ReadArchiveHead(file);
  out << "ARCHIVE " << record.record_bytes << " bytes: generation "
      << head.generation << " of lineage " << UuidText(head.lineage)
      << ", written " << TimeText(head.written_wall_ns) << "; "
      << head.lost_file_count << " files were lost";
}

void DumpFolded(const MetricFileReader& file, const RecordEntry& record,
                std::ostream& out) {
  const auto list = ReadArchiveList<format::FoldedEntry>(file, record);
  out << "FOLDED " << record.record_bytes << " bytes: " << list.size()
      << " files that are in the numbers";
  for (const format::FoldedEntry& entry : list) {
    out << "\n            " << UuidText(entry.uuid) << " inode " << entry.inode
        << ", born " << TimeText(entry.birth_ns) << ", owner "
        << entry.owner_uid << ", folded "
        << TimeText(uint64_t{entry.folded_at_s} * 1'000'000'000)
        << ((entry.flags & format::kFoldedIsKept) != 0
                ? ", kept because it is damaged"
                : "")
        << ((entry.flags & format::kFoldedHasVanished) != 0
                ? ", taken away by somebody"
                : "");
  }
}

void DumpOrigins(const MetricFileReader& file, const RecordEntry& record,
                 std::ostream& out) {
  const auto list = ReadArchiveList<format::OriginEntry>(file, record);
  out << "ORIGINS " << record.record_bytes << " bytes: of " << list.size()
      << " series";
  for (const format::OriginEntry& entry : list) {
    out << "\n            cell " << entry.first_cell << ", folded "
        << TimeText(uint64_t{entry.folded_at_s} * 1'000'000'000);
    if (entry.writer_created_wall_ns != 0) {
      out << ", of writer " << UuidText(entry.writer_uuid) << " created "
          << TimeText(entry.writer_created_wall_ns);
    }
  }
}

void DumpKnown(const MetricFileReader& file, const RecordEntry& record,
               std::ostream& out) {
  const auto list = ReadArchiveList<format::KnownEntry>(file, record);
  out << "KNOWN " << record.record_bytes << " bytes: " << list.size()
      << " files that counted and are not in the numbers";
  for (const format::KnownEntry& entry : list) {
    out << "\n            " << UuidText(entry.uuid);
  }
}

void DumpRecord(const MetricFileReader& file, const RecordEntry& record,
                std::ostream& out) {
  out << Offset(record.offset) << "  ";
  switch (static_cast<RecordKind>(record.kind)) {
    case RecordKind::kFamily:
      out << "FAMILY " << record.record_bytes << " bytes: ";
      DumpFamily(file.families()[record.index], out);
      break;
    case RecordKind::kSeries: {
      const SeriesEntry& series = file.series()[record.index];
      out << "SERIES " << record.record_bytes << " bytes: "
          << SeriesName(file.families()[series.family_number], series)
          << ", cells " << series.first_cell << " to "
          << series.first_cell + series.cell_count - 1 << ", created "
          << TimeText(series.created_wall_ns);
      break;
    }
    case RecordKind::kRemoved: {
      const RemovedEntry& removed = file.removed()[record.index];
      const SeriesEntry& series = file.series()[removed.series_number];
      out << "REMOVED " << record.record_bytes << " bytes: "
          << SeriesName(file.families()[series.family_number], series)
          << ", cells " << series.first_cell << " to "
          << series.first_cell + series.cell_count - 1 << ", at "
          << TimeText(removed.removed_wall_ns);
      break;
    }
    case RecordKind::kCells: {
      const BlockEntry& block = file.blocks()[record.index];
      out << "CELLS " << record.record_bytes << " bytes: slot " << block.slot
          << ", chunk " << block.chunk;
      break;
    }
    case RecordKind::kArchive:
      DumpArchiveRecord(file, record, out);
      break;
    case RecordKind::kFolded:
      DumpFolded(file, record, out);
      break;
    case RecordKind::kOrigins:
      DumpOrigins(file, record, out);
      break;
    case RecordKind::kKnown:
      DumpKnown(file, record, out);
      break;
    default:
      out << "unknown kind " << record.kind << ", " << record.record_bytes
          << " bytes, skipped";
  }
  out << '\n';
}

}  // namespace

std::string DamageText(const Damage& damage) {
  return std::string(DamageReasonName(damage.reason)) + " at offset " +
         std::to_string(damage.offset);
}

std::string ProcessLabelsText(const FileHeaderView& header) {
  std::string text;
  bool is_name = true;
  for (const std::string_view part : header.process_labels) {
    if (is_name) {
      text += text.empty() ? "" : ",";
      text += std::string(part) + '=';
    } else {
      text += Quoted(part);
    }
    is_name = !is_name;
  }
  return text;
}

void DumpFile(const MetricFileReader& file, std::ostream& out) {
  if (file.is_archive()) {
    DumpArchiveHeader(file, out);
  } else if (file.has_header()) {
    DumpHeader(file, out);
  }
  for (const RecordEntry& record : file.records()) {
    DumpRecord(file, record, out);
  }
  if (!file.series().empty()) {
    out << "values\n";
  }
  for (const SeriesEntry& series : file.series()) {
    const FamilyEntry& family = file.families()[series.family_number];
    out << "  " << SeriesName(family, series) << ' '
        << SeriesValue(family, file.ReadCells(series))
        << (series.is_removed ? ", removed\n" : "\n");
  }
  if (file.damage().reason != DamageReason::kNone) {
    out << "damage: " << DamageText(file.damage())
        << "; nothing from there on is shown\n";
  }
}

bool VerifyFile(const MetricFileReader& file, const std::string& name,
                std::string* verdict) {
  if (file.damage().reason != DamageReason::kNone) {
    *verdict = "damage: " + DamageText(file.damage());
    return false;
  }
  if (file.is_archive()) {
    const std::string problem = ArchiveProblem(file);
    *verdict = problem.empty() ? "sound" : "damage: " + problem;
    return problem.empty();
  }
  const std::optional<MetricFileName> parts = ParseMetricFileName(name);
  if (parts && parts->uuid != file.header().uuid()) {
    *verdict = "damage: the uuid in the name is not the header's at offset " +
               std::to_string(offsetof(format::FileHeader, uuid));
    return false;
  }
  *verdict = "sound";
  return true;
}

}  // namespace tine::tools
