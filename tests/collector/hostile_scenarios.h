// What a hostile user does in a shared directory, and what must come of it.
// Each is told by gtest expectations, so that the same is run against the
// collector and against collectors with known mistakes.

#ifndef TINE_TESTS_COLLECTOR_HOSTILE_SCENARIOS_H_
#define TINE_TESTS_COLLECTOR_HOSTILE_SCENARIOS_H_

namespace tine::collector {

// Names that are no files of their owner (hostile_file_scenarios.cc).
void LinksAreNotFollowed();
void SpecialFilesAreNotWaitedFor();
void HardLinksAreNotRead();
void LeasesAreNotWaitedFor();
void GiantSparseFilesAreNotRead();
void StateDirectorySquattersChangeNothing();

// Files that say what is not so (hostile_identity_scenarios.cc).
void ReadLocksFakeNoLife();
void CopiesOfAVictimsFileDoNotCount();
void OlderFileDoesNotTakeAVictimsPlace();
void SecondFileWithAUuidDoesNotCount();
void NameMustBeTheHeaders();
void ForgedClaimsTouchNobodyElse();
void MutationUnderTheReaderTouchesNobodyElse();

// Too much of everything (hostile_flood_scenarios.cc).
void NameFloodLeavesRoomForOthers();
void NameFloodIsLoggedInAFewLines();
void RefusedFilesAreNotReadAgainAndAgain();
void LiveFileFloodLeavesDescriptors();
void SeriesFloodLeavesRoomForOthers();
void TextFloodIsBounded();
void BoundsFloodIsBounded();
void OpinionFloodLeavesRoomForOthers();
void FamilyFloodLeavesRoomForOthers();

// Texts and numbers (hostile_content_scenarios.cc).
void LabelTextsAreEscaped();
void InvalidTextsAreRefused();
void ImpossibleNumbersTouchNobodyElse();
void ReservedNamesStayTheCollectors();

}  // namespace tine::collector

#endif  // TINE_TESTS_COLLECTOR_HOSTILE_SCENARIOS_H_
