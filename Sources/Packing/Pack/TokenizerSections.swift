internal import Tokenization

/// The sections that come from the keys of a GGUF file's tokenizer.
struct TokenizerSections {
  let tokenizer: [UInt8]
  let chatTemplate: [UInt8]
  let family: ChatTemplateFamily

  /// Bytes of both sections, from counts and sizes alone.
  static func bytes(
    _ header: GGUFHeader
  ) throws(PackingError) -> (tokenizer: UInt64, chatTemplate: UInt64) {
    do throws(VocabularyError) {
      let vocabulary = try Vocabulary(header)
      return (UInt64(vocabulary.sectionBytes), UInt64(ChatTemplate.sectionBytes))
    } catch {
      throw .vocabulary(error)
    }
  }

  /// Makes both sections.
  init(_ header: GGUFHeader) throws(PackingError) {
    do throws(VocabularyError) {
      let vocabulary = try Vocabulary(header)
      let markup = try vocabulary.chatMarkup()
      tokenizer = try vocabulary.section()
      let hosted: HostedTokenizer
      do throws(TokenizerSectionError) {
        hosted = try HostedTokenizer(section: tokenizer)
      } catch {
        preconditionFailure("the section that was just made is valid: \(error)")
      }
      chatTemplate = try markup.section(hosted)
      family = markup.family
    } catch {
      throw .vocabulary(error)
    }
  }
}
