#include "collector/archive_file.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "collector/archive_layout.h"
#include "collector/series_budget.h"
#include "collector/series_key.h"
#include "common/checksum.h"
#include "common/clock.h"
#include "common/metric_names.h"
#include "common/record_codec.h"
#include "common/record_scanner.h"

namespace tine::collector {
namespace {

using format::ArchiveRecord;
using format::FoldedEntry;
using format::GaugeMode;
using format::kCellsPerBlock;
using format::kHeaderBytes;
using format::KnownEntry;
using format::ListRecord;
using format::MetricType;
using format::OriginEntry;
using format::ProcessLabelsEntry;
using format::RecordHeader;
using format::RecordKind;
using format::ValueKind;

static_assert(kArchiveHeadBytes == kHeaderBytes + sizeof(ArchiveRecord));

size_t RoundUp(size_t bytes) {
  return (bytes + format::kRecordAlignment - 1) / format::kRecordAlignment *
         format::kRecordAlignment;
}

// A sum of integers, as one; what does not fit stops at the ends.
int64_t ToInteger(const ExactSum& sum) {
  constexpr double kTop = 9223372036854775808.0;  // 2^63
  if (sum.high() >= kTop) {
    return INT64_MAX;
  }
  if (sum.high() < -kTop) {
    return INT64_MIN;
  }
  int64_t result;
  return __builtin_add_overflow(static_cast<int64_t>(sum.high()),
                                static_cast<int64_t>(sum.low()), &result)
             ? (sum.high() > 0 ? INT64_MAX : INT64_MIN)
             : result;
}

// As StringListView reads it.
void AppendText(std::string_view text, std::string* packed) {
  const auto length = static_cast<uint16_t>(text.size());
  packed->append(reinterpret_cast<const char*>(&length), sizeof(length));
  packed->append(text);
}

// Where the parts of a series lie among its cells.
struct CellPlan {
  uint32_t count_count = 0;  // plain u64 counts come first
  uint32_t value = 0;        // then the one double, or gauge
};
CellPlan PlanOf(MetricType type, ValueKind kind, size_t bound_count) {
  switch (type) {
    case MetricType::kCounter:
      return {kind == ValueKind::kU64 ? 1u : 0u, 0};
    case MetricType::kHistogram:
      return {static_cast<uint32_t>(bound_count) + 1,
              static_cast<uint32_t>(bound_count) + 1};
    case MetricType::kSummary:
      return {1, 1};
    default:
      return {0, 0};
  }
}

// ---- To bytes ---------------------------------------------------------------

class Encoder {
 public:
  Encoder(const Archive& archive, const MergedView& view)
      : archive_(archive), view_(view) {}

  std::vector<uint8_t> Encode() {
    view_.ForEachSeries([this](const MergedView::SeriesPart& part) {
      if (archive_.stamps.Of(part.part.targets) != 0) {
        TakeSeries(part);
      }
    });
    bytes_.resize(kArchiveHeadBytes);
    AppendFiles(RecordKind::kFolded, archive_.folded);
    AppendFiles(RecordKind::kTaken, archive_.taken);
    AppendCells();
    for (const Item& item : items_) {
      AppendSeries(item);
    }
    AppendOrigins();
    AppendKnown();
    AppendProcessLabels();
    FillHead();
    return std::move(bytes_);
  }

  size_t series_count() const { return items_.size(); }

 private:
  struct Item {
    MergedView::SeriesPart part;
    uint32_t first_cell;
    uint32_t cell_count;
  };

  // Its place among the cells, and its numbers there.
  void TakeSeries(const MergedView::SeriesPart& part) {
    const size_t bound_count = part.part.bounds->size();
    const MetricType type = part.family->type();
    const uint32_t cell_count =
        CellCountOf(type, part.family->mode(), bound_count);
    const auto used = static_cast<uint32_t>(high_.size());
    const uint32_t in_block = used % kCellsPerBlock;
    const uint32_t first_cell = in_block + cell_count <= kCellsPerBlock
                                    ? used
                                    : used + kCellsPerBlock - in_block;
    high_.resize(first_cell + cell_count);
    low_.resize(first_cell + cell_count);
    items_.push_back({part, first_cell, cell_count});
    const CellPlan plan = PlanOf(type, part.part.kind, bound_count);
    const SeriesTargets& targets = part.part.targets;
    for (uint32_t i = 0; i < plan.count_count; ++i) {
      high_[first_cell + i] = archive_.sums.count(targets.first_count + i);
    }
    if (targets.value != CellSums::kNobody) {
      const ExactSum& value = archive_.sums.value(targets.value);
      high_[first_cell + plan.value] = EncodeF64Cell(value.high());
      low_[first_cell + plan.value] = EncodeF64Cell(value.low());
    }
    if (targets.gauge != CellSums::kNobody) {
      PutGauge(type, archive_.sums.gauge(targets.gauge), cell_count,
               first_cell);
    }
  }

  void PutGauge(MetricType type, const GaugeMerge& gauge, uint32_t cell_count,
                uint32_t first_cell) {
    if (type == MetricType::kUpDownCounter) {
      high_[first_cell] = static_cast<uint64_t>(ToInteger(gauge.sum()));
      return;
    }
    high_[first_cell] = EncodeGaugeCell(gauge.sum().high());
    low_[first_cell] = EncodeF64Cell(gauge.sum().low());
    if (cell_count == 2) {
      high_[first_cell + 1] = gauge.wall_ns();
    }
  }

  uint8_t* Append(size_t size_bytes) {
    bytes_.resize(bytes_.size() + size_bytes);
    return bytes_.data() + bytes_.size() - size_bytes;
  }

  template <typename Entry, typename Fill>
  void AppendList(RecordKind kind, size_t count, const Fill& fill) {
    for (size_t first = 0; first < count; first += format::kMaxListEntries) {
      const size_t here =
          std::min<size_t>(count - first, format::kMaxListEntries);
      const size_t record_bytes =
          RoundUp(sizeof(ListRecord) + here * sizeof(Entry));
      uint8_t* record = Append(record_bytes);
      ListRecord head = {};
      head.header.record_bytes = static_cast<uint32_t>(record_bytes);
      head.header.kind = kind;
      head.entry_count = static_cast<uint32_t>(here);
      std::memcpy(record, &head, sizeof(head));
      for (size_t i = 0; i < here; ++i) {
        const Entry entry = fill(first + i);
        std::memcpy(record + sizeof(head) + i * sizeof(entry), &entry,
                    sizeof(entry));
      }
      SealRecord(record);
    }
  }

  using Files = absl::flat_hash_map<FileUuid, FoldedFile, UuidHash>;
  void AppendFiles(RecordKind kind, const Files& files) {
    auto next = files.begin();
    AppendList<FoldedEntry>(kind, files.size(), [&next](size_t) {
      const FoldedFile& file = (next++)->second;
      FoldedEntry entry = {};
      std::memcpy(entry.uuid, file.uuid.bytes, sizeof(entry.uuid));
      entry.inode = file.inode;
      entry.birth_ns = file.birth_ns;
      entry.owner_uid = file.owner_uid;
      entry.flags = (file.is_kept ? format::kFoldedIsKept : 0) |
                    (file.has_vanished ? format::kFoldedHasVanished : 0);
      entry.folded_at_s = file.folded_at_s;
      entry.taken_before = file.taken_before;
      return entry;
    });
  }

  void AppendKnown() {
    auto next = archive_.known.begin();
    AppendList<KnownEntry>(
        RecordKind::kKnown, archive_.known.size(), [&next](size_t) {
          KnownEntry entry;
          std::memcpy(entry.uuid, (next++)->bytes, sizeof(entry.uuid));
          return entry;
        });
  }

  void AppendOrigins() {
    AppendList<OriginEntry>(
        RecordKind::kOrigins, items_.size(), [this](size_t i) {
          const Item& item = items_[i];
          const SeriesTargets& targets = item.part.part.targets;
          OriginEntry entry = {};
          entry.first_cell = item.first_cell;
          entry.folded_at_s = archive_.stamps.Of(targets);
          const uint32_t owner = archive_.owners.Of(targets);
          entry.owner_uid = owner - 1;
          entry.flags = owner == TargetStamps::kSeveral
                            ? format::kOriginHasSeveralOwners
                            : 0;
          if (targets.gauge != CellSums::kNobody) {
            const GaugeMerge& gauge = archive_.sums.gauge(targets.gauge);
            const WriterRank& writer = gauge.writer();
            entry.expires_wall_ns = gauge.expires_wall_ns();
            entry.writer_created_wall_ns = writer.created_wall_ns;
            std::memcpy(entry.writer_uuid, writer.uuid.bytes,
                        sizeof(entry.writer_uuid));
          }
          return entry;
        });
  }

  void AppendProcessLabels() {
    std::vector<ProcessLabelsEntry> entries;
    for (const Item& item : items_) {
      const uint32_t number =
          archive_.process_labels.Of(item.part.part.targets);
      const uint64_t labels =
          number == 0 ? 0
                      : LabelsAmong(archive_.process_label_lists.list(number),
                                    item.part.part.series->labels.strings());
      if (labels != 0) {
        entries.push_back({item.first_cell, 0, labels});
      }
    }
    AppendList<ProcessLabelsEntry>(RecordKind::kProcessLabels, entries.size(),
                                   [&entries](size_t i) { return entries[i]; });
  }

  // Which of `labels` are in `list`, name and value, as bits.
  static uint64_t LabelsAmong(const StringListView& list,
                              const StringListView& labels) {
    uint64_t bits = 0;
    uint64_t bit = 1;
    for (auto label = labels.begin(); label != labels.end();
         ++label, bit <<= 1) {
      const std::string_view name = *label;
      ++label;
      for (auto it = list.begin(); it != list.end(); ++it) {
        const bool is_name = *it == name;
        ++it;
        bits |= is_name && *it == *label ? bit : 0;
      }
    }
    return bits;
  }

  // Slot 1 holds the low parts of sums of doubles, where there are any: so that
  // "the sum over all slots" is the exact sum.
  void AppendCells() {
    const size_t chunk_count =
        (high_.size() + kCellsPerBlock - 1) / kCellsPerBlock;
    high_.resize(chunk_count * kCellsPerBlock);
    low_.resize(chunk_count * kCellsPerBlock);
    for (uint32_t chunk = 0; chunk < chunk_count; ++chunk) {
      const uint64_t* high = &high_[size_t{chunk} * kCellsPerBlock];
      const uint64_t* low = &low_[size_t{chunk} * kCellsPerBlock];
      AppendBlock(0, chunk, high);
      if (std::any_of(low, low + kCellsPerBlock,
                      [](uint64_t cell) { return cell != 0; })) {
        AppendBlock(1, chunk, low);
      }
    }
  }

  void AppendBlock(uint32_t slot, uint32_t chunk, const uint64_t* cells) {
    uint8_t* record = Append(format::kCellsRecordBytes);
    EncodeCellsHeader({slot, chunk}, record);
    std::memcpy(record + format::kRecordAlignment, cells,
                kCellsPerBlock * sizeof(uint64_t));
  }

  void AppendSeries(const Item& item) {
    std::string names;
    std::string values;
    size_t label_count = 0;
    const StringListView strings = item.part.part.series->labels.strings();
    for (auto it = strings.begin(); it != strings.end(); ++it, ++label_count) {
      AppendText(*it, &names);
      ++it;
      AppendText(*it, &values);
    }
    SeriesView series;
    series.family_offset = FamilyOffset(item, names, label_count);
    series.first_cell = item.first_cell;
    series.cell_count = item.cell_count;
    series.created_wall_ns = std::max(item.part.part.series->created_wall_ns,
                                      archive_.reset_wall_ns);
    series.label_values =
        StringListView(reinterpret_cast<const uint8_t*>(values.data()),
                       values.size(), label_count);
    EncodeSeries(series, Append(EncodedSeriesBytes(series)));
  }

  // A FAMILY record has one list of label names, so a family has as many of
  // them here as its series have lists.
  uint32_t FamilyOffset(const Item& item, const std::string& names,
                        size_t label_count) {
    const FamilyVariant::PartOfSeries& part = item.part.part;
    std::string key = absl::StrCat(item.part.group, " ", item.part.variant, " ",
                                   static_cast<int>(part.kind), " ");
    key.append(reinterpret_cast<const char*>(part.bounds->data()),
               part.bounds->size() * sizeof(double));
    key.append(names);
    const auto known = family_offsets_.find(key);
    if (known != family_offsets_.end()) {
      return known->second;
    }
    const FamilyGroup& group = view_.group(item.part.group);
    const FamilyGroup::Declaration& declaration = DeclarationOf(item.part);
    FamilyView family;
    family.type = item.part.family->type();
    family.value_kind = part.kind;
    family.gauge_mode = item.part.family->mode();
    family.name = group.name();
    family.unit = declaration.unit;
    family.help = declaration.help;
    family.bounds = part.bounds->data();
    family.bound_count = part.bounds->size();
    family.label_names =
        StringListView(reinterpret_cast<const uint8_t*>(names.data()),
                       names.size(), label_count);
    const auto offset = static_cast<uint32_t>(bytes_.size());
    EncodeFamily(family, Append(EncodedFamilyBytes(family)));
    family_offsets_.emplace(std::move(key), offset);
    return offset;
  }

  // The opinion of the dead about this family; where they had several, the one
  // that is served, or else the latest.
  const FamilyGroup::Declaration& DeclarationOf(
      const MergedView::SeriesPart& part) const {
    const auto& declarations = view_.group(part.group).declarations();
    uint32_t chosen = 0;
    bool has_chosen = false;
    for (uint32_t i = 0; i < declarations.size(); ++i) {
      if (declarations[i].variant != part.variant) {
        continue;
      }
      const bool is_ours = archive_.declarations.contains({part.group, i});
      if (!has_chosen || is_ours) {
        chosen = i;
        has_chosen = true;
      }
      if (is_ours && i == view_.group(part.group).winner()) {
        break;
      }
    }
    return declarations[chosen];
  }

  static void SealRecord(uint8_t* record) {
    RecordHeader header;
    std::memcpy(&header, record, sizeof(header));
    const uint32_t checksum = Crc32(record, header.record_bytes);
    std::memcpy(record + offsetof(RecordHeader, checksum), &checksum,
                sizeof(checksum));
  }

  void FillHead() {
    auto* header = reinterpret_cast<format::FileHeader*>(bytes_.data());
    std::memcpy(header->uuid, archive_.identity.lineage.bytes,
                sizeof(header->uuid));
    header->created_wall_ns = NowNs(CLOCK_REALTIME);
    header->reserve_bytes = bytes_.size();
    uint8_t* strings = AppendString(header->strings, "archive");
    strings = AppendString(strings, "");
    header->strings_bytes = static_cast<uint32_t>(strings - header->strings);
    SealFileHeader(header);
    const uint64_t used = bytes_.size();
    std::memcpy(bytes_.data() + format::kHeaderDynamicOffset, &used,
                sizeof(used));
    ArchiveRecord record = {};
    record.header.record_bytes = sizeof(record);
    record.header.kind = RecordKind::kArchive;
    record.body_checksum = Crc32(bytes_.data() + kArchiveHeadBytes,
                                 bytes_.size() - kArchiveHeadBytes);
    record.generation = archive_.identity.generation;
    std::memcpy(record.lineage, archive_.identity.lineage.bytes,
                sizeof(record.lineage));
    record.written_wall_ns = header->created_wall_ns;
    record.lost_file_count = archive_.lost_file_count;
    record.reset_wall_ns = archive_.reset_wall_ns;
    std::memcpy(bytes_.data() + kHeaderBytes, &record, sizeof(record));
    SealRecord(bytes_.data() + kHeaderBytes);
  }

  const Archive& archive_;
  const MergedView& view_;
  std::vector<Item> items_;
  std::vector<uint64_t> high_;  // by cell index
  std::vector<uint64_t> low_;
  absl::flat_hash_map<std::string, uint32_t> family_offsets_;
  std::vector<uint8_t> bytes_;
};

// ---- From bytes -------------------------------------------------------------

absl::Status Damaged(std::string_view what) {
  return absl::DataLossError(absl::StrCat(
      "the archive is damaged: ", absl::string_view(what.data(), what.size())));
}

template <typename T>
T CopyOf(const uint8_t* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof(value));
  return value;
}

// Takes an archive's records into a view and an archive.
class Decoder : public RecordVisitor {
 public:
  Decoder(const uint8_t* bytes, MergedView* view, Archive* archive)
      : bytes_(bytes), view_(view), archive_(archive) {
    unlimited_.is_of_archive = true;
  }

  void OnFamily(uint64_t, const FamilyView& family) override {
    // The view keeps a few lists of label names, for files; here, process
    // labels make as many as they like.
    FamilyView nameless = family;
    nameless.label_names = StringListView();
    const std::optional<FamilyHandle> handle =
        view_->Declare(nameless, &unlimited_);
    if (!handle.has_value()) {
      problem_ = "more families than this collector takes";
    }
    families_.push_back({handle.value_or(FamilyHandle{}), family.type,
                         family.value_kind, family.gauge_mode,
                         family.bound_count, family.label_names});
    archive_->declarations.insert(
        {families_.back().handle.group, families_.back().handle.declaration});
  }

  void OnSeries(uint64_t, const SeriesView& series,
                uint32_t family_number) override {
    const Family& family = families_[family_number];
    if (!problem_.empty()) {
      return;
    }
    SeriesKeyBuilder builder(family.label_names, StringListView(), "");
    const std::optional<SeriesTargets> targets = view_->FindOrAddSeries(
        family.handle, builder.Build(series.label_values),
        series.created_wall_ns, &unlimited_);
    if (!targets.has_value()) {
      problem_ = "more series than this collector takes";
      return;
    }
    series_.emplace(series.first_cell,
                    Series{family_number, *targets, series.label_values});
  }

  void OnCells(uint64_t offset, const CellsView& cells) override {
    blocks_[(uint64_t{cells.chunk} << 32) | cells.slot] =
        bytes_ + offset + format::kRecordAlignment;
  }

  void OnUnknown(uint64_t offset, uint16_t kind,
                 uint32_t record_bytes) override {
    if (kind == static_cast<uint16_t>(RecordKind::kFolded)) {
      ForEachEntry<FoldedEntry>(offset, record_bytes,
                                [this](const FoldedEntry& entry) {
                                  TakeFile(entry, &archive_->folded);
                                });
    } else if (kind == static_cast<uint16_t>(RecordKind::kTaken)) {
      ForEachEntry<FoldedEntry>(offset, record_bytes,
                                [this](const FoldedEntry& entry) {
                                  TakeFile(entry, &archive_->taken);
                                });
    } else if (kind == static_cast<uint16_t>(RecordKind::kOrigins)) {
      ForEachEntry<OriginEntry>(
          offset, record_bytes,
          [this](const OriginEntry& entry) { origins_.push_back(entry); });
    } else if (kind == static_cast<uint16_t>(RecordKind::kKnown)) {
      ForEachEntry<KnownEntry>(
          offset, record_bytes, [this](const KnownEntry& entry) {
            FileUuid uuid;
            std::memcpy(uuid.bytes, entry.uuid, sizeof(entry.uuid));
            archive_->known.insert(uuid);
          });
    } else if (kind == static_cast<uint16_t>(RecordKind::kProcessLabels)) {
      ForEachEntry<ProcessLabelsEntry>(offset, record_bytes,
                                       [this](const ProcessLabelsEntry& entry) {
                                         process_labels_.push_back(entry);
                                       });
    }
  }

  // After all records.
  absl::Status Finish() {
    if (!problem_.empty()) {
      return absl::ResourceExhaustedError(
          absl::StrCat("the archive cannot be taken in: ",
                       absl::string_view(problem_.data(), problem_.size())));
    }
    archive_->series_count = origins_.size();
    archive_->sums = view_->sums();
    archive_->sums.Reset();
    for (const OriginEntry& origin : origins_) {
      const auto it = series_.find(origin.first_cell);
      if (it == series_.end()) {
        return Damaged("an origin of no series");
      }
      TakeNumbers(origin, it->second);
    }
    for (const ProcessLabelsEntry& entry : process_labels_) {
      const auto it = series_.find(entry.first_cell);
      if (it == series_.end()) {
        return Damaged("process labels of no series");
      }
      TakeProcessLabels(entry, it->second);
    }
    return absl::OkStatus();
  }

 private:
  struct Family {
    FamilyHandle handle;
    MetricType type;
    ValueKind kind;
    GaugeMode mode;
    size_t bound_count;
    StringListView label_names;  // in bytes_
  };
  struct Series {
    uint32_t family_number;
    SeriesTargets targets;
    StringListView label_values;  // in bytes_
  };

  template <typename Entry, typename Take>
  void ForEachEntry(uint64_t offset, uint32_t record_bytes, const Take& take) {
    const auto head = CopyOf<ListRecord>(bytes_ + offset);
    if (head.entry_count > (record_bytes - sizeof(head)) / sizeof(Entry)) {
      problem_ = "a list with more entries than bytes";
      return;
    }
    for (uint32_t i = 0; i < head.entry_count; ++i) {
      take(CopyOf<Entry>(bytes_ + offset + sizeof(head) + i * sizeof(Entry)));
    }
  }

  using Files = absl::flat_hash_map<FileUuid, FoldedFile, UuidHash>;
  static void TakeFile(const FoldedEntry& entry, Files* files) {
    FoldedFile file;
    std::memcpy(file.uuid.bytes, entry.uuid, sizeof(entry.uuid));
    file.inode = entry.inode;
    file.birth_ns = entry.birth_ns;
    file.owner_uid = entry.owner_uid;
    file.is_kept = (entry.flags & format::kFoldedIsKept) != 0;
    file.has_vanished = (entry.flags & format::kFoldedHasVanished) != 0;
    file.folded_at_s = entry.folded_at_s;
    file.taken_before = entry.taken_before;
    (*files)[file.uuid] = file;
  }

  uint64_t Cell(uint32_t slot, uint32_t cell) const {
    const auto it =
        blocks_.find((uint64_t{cell / kCellsPerBlock} << 32) | slot);
    return it == blocks_.end()
               ? 0
               : CopyOf<uint64_t>(it->second +
                                  cell % kCellsPerBlock * sizeof(uint64_t));
  }

  void TakeNumbers(const OriginEntry& origin, const Series& series) {
    const Family& family = families_[series.family_number];
    const CellPlan plan = PlanOf(family.type, family.kind, family.bound_count);
    const SeriesTargets& targets = series.targets;
    CellSums& sums = archive_->sums;
    archive_->stamps.Set(targets, plan.count_count, origin.folded_at_s);
    const bool has_several =
        (origin.flags & format::kOriginHasSeveralOwners) != 0;
    archive_->owners.Set(targets, plan.count_count,
                         has_several ? TargetStamps::kSeveral
                                     : Archive::OwnerStamp(origin.owner_uid));
    for (uint32_t i = 0; i < plan.count_count; ++i) {
      sums.counts()[targets.first_count + i] = Cell(0, origin.first_cell + i);
    }
    const uint32_t value_cell = origin.first_cell + plan.value;
    const double low = DecodeF64Cell(Cell(1, value_cell));
    if (targets.value != CellSums::kNobody) {
      sums.value(targets.value) =
          ExactSum(DecodeF64Cell(Cell(0, value_cell)), low);
    }
    if (targets.gauge != CellSums::kNobody) {
      TakeGauge(origin, family, low, &sums.gauge(targets.gauge));
    }
  }

  void TakeProcessLabels(const ProcessLabelsEntry& entry,
                         const Series& series) {
    const Family& family = families_[series.family_number];
    std::string packed;
    size_t string_count = 0;
    uint64_t labels = entry.labels;
    auto value = series.label_values.begin();
    for (const std::string_view name : family.label_names) {
      if ((labels & 1) != 0) {
        AppendText(name, &packed);
        AppendText(*value, &packed);
        string_count += 2;
      }
      labels >>= 1;
      ++value;
    }
    archive_->process_labels.Set(
        series.targets,
        PlanOf(family.type, family.kind, family.bound_count).count_count,
        archive_->process_label_lists.NumberOf(
            StringListView(reinterpret_cast<const uint8_t*>(packed.data()),
                           packed.size(), string_count)));
  }

  void TakeGauge(const OriginEntry& origin, const Family& family, double low,
                 GaugeMerge* gauge) const {
    const uint64_t cell = Cell(0, origin.first_cell);
    if (family.type == MetricType::kUpDownCounter) {
      gauge->AddCount(static_cast<int64_t>(cell));
      return;
    }
    WriterRank writer;
    writer.created_wall_ns = origin.writer_created_wall_ns;
    std::memcpy(writer.uuid.bytes, origin.writer_uuid,
                sizeof(origin.writer_uuid));
    const uint64_t wall_ns =
        IsMostRecentMode(family.mode) ? Cell(0, origin.first_cell + 1) : 0;
    double value;
    if (DecodeGaugeCell(cell, &value)) {
      gauge->Restore(ExactSum(value, low), wall_ns, writer,
                     origin.expires_wall_ns);
    }
  }

  const uint8_t* const bytes_;
  MergedView* const view_;
  Archive* const archive_;
  SeriesBudget unlimited_;
  std::string_view problem_;  // empty: none
  std::vector<Family> families_;
  absl::flat_hash_map<uint32_t, Series> series_;  // by first cell
  std::vector<OriginEntry> origins_;
  std::vector<ProcessLabelsEntry> process_labels_;
  absl::flat_hash_map<uint64_t, const uint8_t*> blocks_;
};

}  // namespace

std::vector<uint8_t> EncodeArchive(const MergedView& view, Archive* archive) {
  Encoder encoder(*archive, view);
  std::vector<uint8_t> bytes = encoder.Encode();
  archive->series_count = encoder.series_count();
  archive->file_bytes = bytes.size();
  return bytes;
}

absl::Status ReadArchiveIdentity(const uint8_t* bytes, size_t size_bytes,
                                 ArchiveIdentity* identity) {
  FileHeaderView header;
  const DamageReason reason =
      DecodeFileHeaderUntrusted(bytes, size_bytes, &header);
  if (reason != DamageReason::kNone) {
    return Damaged(DamageReasonName(reason));
  }
  if (size_bytes < kArchiveHeadBytes) {
    return Damaged("it is too short");
  }
  const auto record = CopyOf<ArchiveRecord>(bytes + kHeaderBytes);
  if (record.header.kind != RecordKind::kArchive ||
      record.header.record_bytes != sizeof(record) ||
      CheckRecordUntrusted(bytes + kHeaderBytes) != DamageReason::kNone ||
      record.generation == 0) {
    return Damaged("its first record is not an ARCHIVE");
  }
  std::memcpy(identity->lineage.bytes, record.lineage, sizeof(record.lineage));
  identity->generation = record.generation;
  return absl::OkStatus();
}

absl::Status DecodeArchive(const uint8_t* bytes, size_t size_bytes,
                           MergedView* view, Archive* archive) {
  absl::Status status =
      ReadArchiveIdentity(bytes, size_bytes, &archive->identity);
  if (!status.ok()) {
    return status;
  }
  const auto record = CopyOf<ArchiveRecord>(bytes + kHeaderBytes);
  RecordScanner scanner;
  if (!scanner.SetUsedUntrusted(
          CopyOf<uint64_t>(bytes + format::kHeaderDynamicOffset), size_bytes) ||
      scanner.used() != size_bytes) {
    return Damaged("its length is not what it says");
  }
  if (record.body_checksum !=
      Crc32(bytes + kArchiveHeadBytes, size_bytes - kArchiveHeadBytes)) {
    return Damaged("its checksum is wrong");
  }
  archive->lost_file_count = record.lost_file_count;
  archive->reset_wall_ns = record.reset_wall_ns;
  archive->file_bytes = size_bytes;
  Decoder decoder(bytes, view, archive);
  scanner.Scan(bytes + kHeaderBytes, size_bytes - kHeaderBytes, &decoder);
  if (scanner.damage().reason != DamageReason::kNone) {
    return Damaged(DamageReasonName(scanner.damage().reason));
  }
  return decoder.Finish();
}

}  // namespace tine::collector
