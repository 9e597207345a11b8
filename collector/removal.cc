#include "collector/removal.h"

#include <utility>

#include "common/metric_names.h"

namespace tine::collector {
namespace {

using SeriesParts = std::vector<MergedView::SeriesPart>;

// Files that are gone may come back from where somebody has put them.
constexpr uint32_t kVanishedMemoryS = 24 * 3600;
constexpr size_t kMaxTakenFiles = 200'000;

// The archive can hold it, and note that it does.
bool IsTakeable(const MetricFile& file, const Archive& archive) {
  const auto known = archive.taken.find(file.writer().uuid);
  return file.source().settled_before() != 0 &&
         file.source().max_label_count() <= kMaxLabelCount &&
         (known == archive.taken.end()
              ? archive.taken.size() < kMaxTakenFiles
              : known->second.Is(file.writer().uuid, file.facts()));
}

}  // namespace

Removal::Removal(const FileSet& files, const std::vector<MetricFile*>& batch,
                 const Archive& archive)
    : are_all_known_(files.IsComplete()) {
  const absl::flat_hash_set<const MetricFile*> folded(batch.begin(),
                                                      batch.end());
  std::vector<const MetricFile*> others;
  bool is_removed_in_batch = false;
  for (const auto& file : files.files()) {
    if (file->is_quarantined()) {
      continue;
    }
    const FileSource& source = file->source();
    const uint32_t owner = Archive::OwnerStamp(file->facts().owner_uid);
    if (folded.contains(file.get())) {
      folded_.push_back(file.get());
      source.StampRemoved(owner, &removers_);
      is_removed_in_batch |= source.has_settled_removals();
      continue;
    }
    present_.insert(file->writer().uuid);
    if (!IsTakeable(*file, archive)) {
      others.push_back(file.get());
      continue;
    }
    sources_.push_back(file.get());
    source.StampRemoved(owner, &removers_);
    is_needed_ |= source.has_settled_removals();
    changes_archive_ |= source.HasRemovalsFor(archive.stamps);
  }
  has_removed_ = is_needed_ || is_removed_in_batch;
  if (!has_removed_) {
    return;  // the usual case; what follows goes through all series
  }
  for (const MetricFile* file : others) {
    file->source().Stamp(FileSource::Which::kAll, 1, &held_);
  }
  for (const MetricFile* file : sources_) {
    file->source().StampHeld(&held_);
  }
  // Whoever died with it did not remove it, or had added it again.
  for (const MetricFile* file : folded_) {
    file->source().StampHeld(&held_);
  }
}

SeriesParts Removal::TakeInto(uint32_t now_s, const MergedView& view,
                              Archive* next) const {
  NoteFiles(now_s, next);
  for (const MetricFile* file : sources_) {
    FoldedFile taken = file->TakeRemovedInto(now_s, next);
    next->taken[taken.uuid] = taken;
  }
  if (!has_removed_) {
    return {};
  }
  SeriesParts kept;
  SeriesParts leaving;
  const auto [removed, held] = RemovedAndHeld(view, *next);
  view.ForEachSeries([&, &removed = removed,
                      &held = held](const MergedView::SeriesPart& part) {
    // An overflow series is nobody's to remove.
    if (removed.contains(part.part.series) && !part.part.series->is_overflow &&
        next->stamps.Of(part.part.targets) != 0) {
      (held.contains(part.part.series) ? kept : leaving).push_back(part);
    }
  });
  KeepOpinions(kept, view, next);
  return leaving;
}

// By series, not by part: whoever has other buckets holds it, too.
std::pair<Removal::Removers, Removal::Held> Removal::RemovedAndHeld(
    const MergedView& view, const Archive& next) const {
  Removers removed;
  Held held;
  view.ForEachSeries([&](const MergedView::SeriesPart& part) {
    const uint32_t remover = removers_.Of(part.part.targets);
    if (remover != 0) {
      uint32_t& known =
          removed.try_emplace(part.part.series, remover).first->second;
      known = known == remover ? known : TargetStamps::kSeveral;
    }
    if (held_.Of(part.part.targets) != 0) {
      held.insert(part.part.series);
    }
  });
  // Nobody makes go what others have left.
  view.ForEachSeries([&](const MergedView::SeriesPart& part) {
    const uint32_t owner = next.owners.Of(part.part.targets);
    const auto it = removed.find(part.part.series);
    if (it != removed.end() && owner != 0 &&
        (owner != it->second || owner == TargetStamps::kSeveral)) {
      held.insert(part.part.series);
    }
  });
  return {std::move(removed), std::move(held)};
}

// Whose numbers the archive has, those opinions about them it has, too.
void Removal::KeepOpinions(const SeriesParts& kept, const MergedView& view,
                           Archive* next) const {
  absl::flat_hash_set<std::pair<uint32_t, uint32_t>> variants;
  for (const MergedView::SeriesPart& part : kept) {
    variants.insert({part.group, part.variant});
  }
  for (const MetricFile* file : sources_) {
    file->source().ForEachFamily([&](const FamilyHandle& family) {
      const uint32_t variant =
          view.group(family.group).declarations()[family.declaration].variant;
      if (variants.contains({family.group, variant})) {
        next->declarations.insert({family.group, family.declaration});
      }
    });
  }
}

// Notes of files that are folded now, or gone for a while, go.
void Removal::NoteFiles(uint32_t now_s, Archive* next) const {
  for (const MetricFile* file : folded_) {
    if (next->TakenBefore(file->writer().uuid, file->facts()) != 0) {
      next->taken.erase(file->writer().uuid);
    }
  }
  if (!are_all_known_) {
    return;
  }
  for (auto it = next->taken.begin(); it != next->taken.end();) {
    const auto current = it++;
    FoldedFile& file = current->second;
    const bool has_vanished = !present_.contains(file.uuid);
    if (has_vanished && !file.has_vanished) {
      file.folded_at_s = now_s;
    }
    file.has_vanished = has_vanished;
    if (has_vanished && now_s - file.folded_at_s >= kVanishedMemoryS) {
      next->taken.erase(current);
    }
  }
}

void Removal::Finish() const {
  for (MetricFile* file : sources_) {
    if (file->source().has_settled_removals()) {
      file->ForgetRemoved();
    }
  }
}

}  // namespace tine::collector
