#include "core/error.h"
#include "core/shape.h"

#include "tests/catch.h"

#include <limits>
#include <vector>

using namespace minception;

TEST_CASE("a shape has a rank and extents and elements") {
  const Shape shape{2, 3, 5, 7};
  CHECK(shape.rank() == 4);
  CHECK(shape[0] == 2);
  CHECK(shape[3] == 7);
  CHECK(shape.elements() == 210);
  CHECK(shape.to_string() == "[2,3,5,7]");
  CHECK(concat(shape) == "[2,3,5,7]");
}

TEST_CASE("a scalar has one element and rank 0") {
  CHECK(Shape().rank() == 0);
  CHECK(Shape().elements() == 1);
  CHECK(Shape().to_string() == "[]");
}

TEST_CASE("an extent of 0 makes a shape empty") { CHECK(Shape{4, 0, 3}.elements() == 0); }

TEST_CASE("extent_or_1 is 1 for missing axes") {
  const Shape shape{6, 5};
  CHECK(shape.extent_or_1(1) == 5);
  CHECK(shape.extent_or_1(2) == 1);
}

TEST_CASE("shapes compare by rank and extents") {
  CHECK(Shape{2, 3} == Shape{2, 3});
  CHECK_FALSE(Shape{2, 3} == Shape{3, 2});
  CHECK_FALSE(Shape{2, 3} == Shape{2, 3, 1});
  CHECK_FALSE(Shape{} == Shape{0});
}

TEST_CASE("invalid shapes are rejected with the reason") {
  CHECK_THROWS_WITH((Shape{1, -2}), Catch::Contains("negative extent -2"));
  CHECK_NOTHROW(Shape{1, 1, 1, 1, 1, 1, 1, 1});
  CHECK_THROWS_WITH((Shape{1, 1, 1, 1, 1, 1, 1, 1, 1}), Catch::Contains("at most 8"));
}

TEST_CASE("parse_shape reads extents separated by x and rejects everything else") {
  CHECK(parse_shape("1x96x96") == Shape{1, 96, 96});
  CHECK(parse_shape("7") == Shape{7});
  CHECK(parse_shape("1x2x3x4x5x6x7x8") == Shape{1, 2, 3, 4, 5, 6, 7, 8});
  for (const char* text : {"", "x", "1x", "x1", "1xx2", "1,2", "0x3", "-1x3", "3x+4", " 3", "3 ", "1x2.5",
                           "threexthree", "99999999999999999999", "1x2x3x4x5x6x7x8x9", "0x10x"}) {
    CAPTURE(text);
    CHECK_THROWS_AS(parse_shape(text), Error);
  }
  CHECK_THROWS_WITH(parse_shape("96by96"),
                    "'96by96' is not a shape: write positive extents with x between them, such as "
                    "1x96x96");
}
