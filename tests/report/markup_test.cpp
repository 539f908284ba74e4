#include "btm/report/markup.h"

#include <gtest/gtest.h>

namespace btm {
namespace {

TEST(Markup, EscapesWhatIsMarkupAndWhatXmlCannotSay) {
  EXPECT_EQ(escaped("</script><a b=\"c\" d='e'>&amp;"),
            "&lt;/script&gt;&lt;a b=&quot;c&quot; d=&#39;e&#39;&gt;&amp;amp;");
  EXPECT_EQ(escaped(std::string("a\0b\x01\n\tc", 7)), "a b \n c");
  EXPECT_EQ(escaped("naïve 日本"), "naïve 日本");
  EXPECT_EQ(text_at(1, 2.25, "<", "class=\"x\""), "<text class=\"x\" x=\"1\" y=\"2.2\">&lt;</text>\n");
}

TEST(Markup, ShortensAtWholeCharacters) {
  EXPECT_EQ(shortened("python", 100), "python");
  EXPECT_EQ(shortened("python_sources", text_width("python…")), "python…");
  EXPECT_EQ(shortened("日本語日本語", text_width("日本…")), "日本…");
  EXPECT_EQ(shortened("", 0), "");
}

TEST(Markup, SlugsAreSafeNames) {
  EXPECT_EQ(slug("Loss curves, 2"), "loss-curves-2");
  EXPECT_EQ(slug("../../etc/passwd"), "etc-passwd");
  EXPECT_EQ(slug("日本"), "x");
}

}  // namespace
}  // namespace btm
