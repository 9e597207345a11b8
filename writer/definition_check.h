// What a family's definition may say, and what is wrong with one that may not.

#ifndef TINE_WRITER_DEFINITION_CHECK_H_
#define TINE_WRITER_DEFINITION_CHECK_H_

#include <string>
#include <string_view>
#include <vector>

#include "common/record_codec.h"
#include "writer/family.h"
#include "writer/registry.h"
#include "writer/status.h"

namespace tine::internal {

// What makes text may throw std::bad_alloc.

bool EndsWith(std::string_view text, std::string_view end) noexcept;
std::string Quoted(std::string_view text);

// The definition's bucket bounds. +Inf is always there; somebody who gives it
// too means no harm.
std::vector<double> BoundsWithoutInfinity(const Definition& definition);

// What is wrong with it, with the metric's name and what to do. `bounds` are
// those of BoundsWithoutInfinity().
Status CheckDefinition(const Definition& definition,
                       const std::vector<double>& bounds);

// The definition as its record has it, but for the lists of names.
FamilyView ViewOf(const Definition& definition,
                  const std::vector<double>& bounds);

// What differs between a family and a second definition of its name; null if
// nothing does.
const char* DifferenceFrom(const Family* family, const Definition& definition,
                           const std::vector<double>& bounds);

}  // namespace tine::internal

#endif  // TINE_WRITER_DEFINITION_CHECK_H_
