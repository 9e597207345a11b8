#include "collector/metric_file.h"

#include <utility>

#include "common/metric_file_name.h"

namespace tine::collector {
namespace {

std::string PidLabel(const WriterIdentity& writer, const LivenessProbe& probe) {
  if (!writer.worker_id.empty()) {
    return writer.worker_id;
  }
  std::string label = std::to_string(writer.pid);
  if (!probe.IsPidOfThisNamespace(writer)) {
    // In every container somebody is pid 1.
    char uuid[kUuidTextBytes];
    FormatUuid(writer.uuid, uuid);
    label.append("-").append(uuid, 8);
  }
  return label;
}

}  // namespace

std::string_view FileStateName(FileState state) {
  switch (state) {
    case FileState::kLive:
      return "live";
    case FileState::kDead:
      return "dead";
    case FileState::kForeign:
      return "foreign";
    case FileState::kUnproven:
      return "unproven";
    case FileState::kDamaged:
      return "damaged";
    case FileState::kVanished:
      return "vanished";
    case FileState::kQuarantined:
      return "quarantined";
  }
  return "";
}

MetricFile::MetricFile(std::string name, const FileUuid& name_uuid,
                       OpenedFile opened, MetricFileContext* context)
    : name_(std::move(name)), facts_(opened.facts), context_(context) {
  reader_ = std::make_unique<MetricFileReader>(std::move(opened.fd),
                                               &context->read_counters);
  if (reader_->is_damaged()) {
    damage_ = reader_->damage();
    Quarantine(damage_.reason);
    return;
  }
  writer_ = std::make_unique<WriterIdentity>(reader_->TakeWriter());
  if (writer_->uuid != name_uuid) {
    Quarantine("name_mismatch");
    return;
  }
  rank_.created_wall_ns = writer_->created_wall_ns;
  rank_.uuid = writer_->uuid;
}

void MetricFile::Begin(SeriesBudget* budget, uint32_t taken_before) {
  Probe();
  FileSource::Options options;
  options.pid_label = PidLabel(*writer_, *context_->probe);
  options.max_series = context_->max_series_per_file;
  options.budget = budget;
  options.is_writer_dead = liveness_ == Liveness::kDead;
  options.taken_before = taken_before;
  options.is_boot_clock_shared = context_->probe->IsBootClockShared(*writer_);
  source_ = std::make_unique<FileSource>(context_->view, writer_.get(),
                                         std::move(options));
  context_->is_ranking_stale = true;
  ReadNewRecords();
}

bool MetricFile::Probe() {
  if (is_quarantined() || liveness_ == Liveness::kDead || reader_ == nullptr ||
      (is_closed() && !is_vanished_)) {
    return false;
  }
  liveness_ =
      context_->probe->Probe(reader_->fd(), *writer_, context_->directory_kind);
  rank_.is_live = liveness_ != Liveness::kDead;
  context_->is_ranking_stale |= !rank_.is_live;
  return !rank_.is_live;
}

bool MetricFile::AssumeDead() {
  if (liveness_ == Liveness::kDead) {
    return true;
  }
  if (reader_ == nullptr || is_closed() || IsLifeLockHeld(reader_->fd())) {
    return false;
  }
  liveness_ = Liveness::kDead;
  rank_.is_live = false;
  context_->is_ranking_stale = true;
  return true;
}

void MetricFile::ReadNewRecords() {
  const uint64_t records_before = reader_->record_count();
  reader_->ReadRecords(source_.get(), &context_->scratch.bytes);
  counts_ = reader_->counts();
  if (reader_->record_count() != records_before) {
    source_->FinishScan(reader_->chunk_cell_counts());
    context_->is_ranking_stale = true;
  }
  damage_ = reader_->damage();
  // Without a family there is nothing to keep: what is damaged then was never
  // good.
  if (reader_->is_damaged() && !source_->has_families()) {
    Quarantine(damage_.reason);
  }
}

void MetricFile::Read() {
  if (is_quarantined() || is_final_) {
    return;
  }
  if (is_closed()) {
    if (is_vanished_ && liveness_ == Liveness::kDead) {
      Finish();
    }
    return;
  }
  // The probe came before the read. So if the writer was dead then, this read
  // finds all that it has ever written.
  const bool is_last = liveness_ == Liveness::kDead;
  const uint64_t failures_before = reader_->failed_read_count();
  ReadNewRecords();
  if (is_quarantined()) {
    return;
  }
  source_->ReadNumbers(reader_.get(), &context_->scratch);
  damage_ = reader_->damage();
  const bool has_failed = reader_->failed_read_count() != failures_before;
  if (is_last && !has_failed) {
    Finish();
  }
}

FoldedFile MetricFile::FoldInto(uint32_t now_s, Archive* archive) const {
  source_->AddTo(&archive->sums, rank_);
  source_->Stamp(FileSource::Which::kLasting, now_s, &archive->stamps);
  source_->JoinOwner(Archive::OwnerStamp(facts_.owner_uid), &archive->owners);
  const uint32_t labels =
      archive->process_label_lists.NumberOf(writer_->process_labels());
  if (!archive->process_label_lists.empty()) {
    source_->Stamp(FileSource::Which::kLasting, labels,
                   &archive->process_labels);
  }
  source_->ForEachFamily([archive](const FamilyHandle& family) {
    archive->declarations.insert({family.group, family.declaration});
  });
  FoldedFile folded = AsFolded(now_s);
  folded.is_kept = is_damaged();
  return folded;
}

FoldedFile MetricFile::TakeRemovedInto(uint32_t now_s, Archive* archive) const {
  source_->TakeRemovedInto(now_s, Archive::OwnerStamp(facts_.owner_uid),
                           &archive->sums, &archive->stamps, &archive->owners);
  FoldedFile taken = AsFolded(now_s);
  taken.taken_before = source_->settled_before();
  return taken;
}

FoldedFile MetricFile::AsFolded(uint32_t now_s) const {
  FoldedFile folded;
  folded.uuid = writer_->uuid;
  folded.inode = facts_.inode;
  folded.birth_ns = facts_.birth_ns;
  folded.owner_uid = facts_.owner_uid;
  folded.folded_at_s = now_s;
  return folded;
}

void MetricFile::Finish() {
  is_final_ = true;
  reader_.reset();
}

void MetricFile::Quarantine(std::string_view reason) {
  quarantine_reason_ = reason;
  reader_.reset();
}

FileState MetricFile::state() const {
  if (is_quarantined()) {
    return FileState::kQuarantined;
  }
  if (is_vanished_) {
    return FileState::kVanished;
  }
  if (!damage_.reason.empty()) {
    return FileState::kDamaged;
  }
  switch (liveness_) {
    case Liveness::kLive:
      return FileState::kLive;
    case Liveness::kDead:
      return FileState::kDead;
    case Liveness::kForeign:
      return FileState::kForeign;
    case Liveness::kUnproven:
      break;
  }
  return FileState::kUnproven;
}

}  // namespace tine::collector
