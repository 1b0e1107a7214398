internal import Tokenization

/// The sections that come from the keys of a GGUF file's tokenizer.
enum TokenizerSections {
  /// Bytes of both sections, from counts and sizes alone.
  static func bytes(
    _ header: GGUFHeader
  ) throws(PackingError) -> (tokenizer: UInt64, template: UInt64) {
    do throws(VocabularyError) {
      return (UInt64(try Vocabulary(header).sectionBytes), UInt64(ChatTemplate.sectionBytes))
    } catch {
      throw .vocabulary(error)
    }
  }

  /// Both sections.
  static func build(
    _ header: GGUFHeader
  ) throws(PackingError) -> (tokenizer: [UInt8], template: [UInt8]) {
    do throws(VocabularyError) {
      let vocabulary = try Vocabulary(header)
      let section = try vocabulary.section()
      let hosted: HostedTokenizer
      do throws(TokenizerSectionError) { hosted = try HostedTokenizer(section: section) } catch {
        preconditionFailure("a section that was just made is valid: \(error)")
      }
      return (section, try vocabulary.chatMarkup().section(hosted))
    } catch {
      throw .vocabulary(error)
    }
  }
}
