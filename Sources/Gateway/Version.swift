/// The version of all programs of this package; CHANGELOG.md says what it holds.
package let millraceVersion = "0.1.0"
