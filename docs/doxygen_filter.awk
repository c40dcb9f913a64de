# What Doxygen is given instead of a header: comments here are written to be read in the source. Line numbers stay.

# Headers say in their first lines what they are for, right behind `#pragma once`.
NR == 1 && /^#pragma once$/ { $0 = "/// @file" }

# Formulas and tables are indented by three spaces or more; so are the lines that go on with a list item, which stay.
/^ *\/\/\/ [-*] / { in_list = 1 }
!/^ *\/\/\/(   | [-*] )/ { in_list = 0 }
{ preformatted = /^ *\/\/\/   / && !in_list }

# The dot of "et al." ends no sentence.
!preformatted && /\/\/\// { gsub(/et al\. /, "et al.\\ ") }

# One line behind, because the last line of a formula shows only in what follows.
NR > 1 { print line (was_preformatted && !preformatted ? " @endverbatim" : "") }
{
  line = $0
  if (preformatted) sub(/\/\/\//, was_preformatted ? "" : "/// @verbatim", line)
  was_preformatted = preformatted
}
END { print line }
