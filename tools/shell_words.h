#ifndef TINE_TOOLS_SHELL_WORDS_H_
#define TINE_TOOLS_SHELL_WORDS_H_

#include <string>
#include <string_view>
#include <vector>

namespace tine::tools {

// Splits a line into words as a POSIX shell does, without expanding anything:
// blanks (space, tab, carriage return) separate words; '...' is literal; in
// "..." a backslash quotes `\`, `"`, `$` and a backquote, and is itself before
// anything else; elsewhere it quotes any character; `#` where a word would
// begin starts a comment. A quoted empty string is a word. False if a quote is
// not closed or the line ends in a backslash: `error` says so.
bool SplitShellWords(std::string_view line, std::vector<std::string>* words,
                     std::string* error);

}  // namespace tine::tools

#endif  // TINE_TOOLS_SHELL_WORDS_H_
