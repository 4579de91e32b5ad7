"""For every checker of IFEval and IFBench: its arguments, a response that follows, and one that does not."""

LETTERS = "Apples Bring Color During Every Fall. Good Harvests Invite Joy."
ENGLISH = "the weather in the north of england was cold and the people stayed at home for the whole of the winter"
AFRICA = (
    "Zimbabwe Zambia Uganda Tunisia Togo Tanzania Sudan Somalia Seychelles Senegal Rwanda Nigeria Niger "
    "Namibia Mozambique Morocco Mauritius Mauritania Mali Malawi Madagascar Libya Liberia Lesotho Kenya "
    "Ghana Gambia Gabon Ethiopia Eswatini Eritrea Egypt Djibouti Comoros Chad Cameroon Burundi Botswana "
    "Benin Angola Algeria "
)
REVERSED_AFRICA = "\n".join(sorted(AFRICA.split() + ["Gabon"] * 12, reverse=True))  # the checker asks for 52 lines
CAPITALS = (
    "Reykjavik Helsinki Oslo Tallinn Stockholm Riga Moscow Copenhagen Vilnius Minsk Dublin Berlin "
    "Amsterdam Warsaw London Brussels Prague Luxembourg Paris Vienna Bratislava Budapest Vaduz Chisinau "
    "Bern Ljubljana Zagreb "
)
STORY = " ".join(f"{chr(65 + number)}nd so it went." for number in range(26))
PALINDROMES = "level radar civic rotor kayak refer madam stats tenet solos"
QUESTION = "Question {0}. {1}\nA. one\nB. two\nC. three\nD. four\nE. five\n"
QUIZ = "".join(QUESTION.format(number, "Why " + "so " * number + "late?") for number in range(1, 5))
KEYWORDS = {f"keyword{number}": word for number, word in enumerate(("fox", "owl", "elk", "bee", "cat"), start=1)}
ANIMALS = "fox " + "owl " * 2 + "elk " * 3 + "bee " * 5 + "cat " * 7
REQUEST = "Write a poem about the sea"


def table(columns: str, rows: int, row: str, separator: str = ",") -> str:
    return "\n".join([separator.join(columns.split()), *[row] * rows])


IFEVAL = {
    "keywords:existence": ({"keywords": ["river", "stone"]}, "A river over stone.", "A river over sand."),
    "keywords:frequency": ({"keyword": "sea", "frequency": 2, "relation": "at least"}, "Sea and sea.", "One sea."),
    "keywords:forbidden_words": ({"forbidden_words": ["bad"]}, "All is good.", "All is bad."),
    "keywords:letter_frequency": (
        {"letter": "z", "let_frequency": 2, "let_relation": "at least"},
        "A zigzag.",
        "A straight line.",
    ),
    "language:response_language": (
        {"language": "de"},
        "Das Wetter ist heute sehr schön und wir gehen alle zusammen spazieren.",
        "The weather is very nice today and we all go for a walk together.",
    ),
    "length_constraints:number_sentences": (
        {"num_sentences": 3, "relation": "at least"},
        "Dr. Smith came. He saw. He left.",
        "Dr. Smith came and Mr. Jones left.",
    ),
    "length_constraints:number_paragraphs": ({"num_paragraphs": 2}, "One.\n***\nTwo.", "One.\n\nTwo."),
    "length_constraints:number_words": ({"num_words": 4, "relation": "less than"}, "Only three words.", "a b c d"),
    "length_constraints:nth_paragraph_first_word": (
        {"num_paragraphs": 2, "nth_paragraph": 2, "first_word": "then"},
        "First.\n\nThen it rained.",
        "First.\n\nIt rained then.",
    ),
    "detectable_content:number_placeholders": ({"num_placeholders": 2}, "[name] of [town]", "[name] of town"),
    "detectable_content:postscript": ({"postscript_marker": "P.S."}, "Dear all.\nP.S. Bye.", "Dear all. Bye."),
    "detectable_format:number_bullet_lists": ({"num_bullets": 2}, "* one\n* two", "* one\n* two\n* three"),
    "detectable_format:constrained_response": ({}, "My answer is yes.", "Yes."),
    "detectable_format:number_highlighted_sections": ({"num_highlights": 2}, "*one* and *two*", "*one* and two"),
    "detectable_format:multiple_sections": (
        {"section_spliter": "Section", "num_sections": 2},
        "Section 1\nThis.\nSection 2\nThat.",
        "Part 1\nThis.\nPart 2\nThat.",
    ),
    "detectable_format:json_format": ({}, '```json\n{"a": [1, 2]}\n```', "{a: 1}"),
    "detectable_format:title": ({}, "<<A Title>>\nText.", "A Title\nText."),
    "combination:two_responses": ({}, "This.******That.", "This.******This."),
    "combination:repeat_prompt": ({"prompt_to_repeat": REQUEST}, f"{REQUEST}\nThe sea!", f"The sea! {REQUEST}"),
    "startend:end_checker": ({"end_phrase": "That is all."}, "Text. That is all.", "That is all. Text."),
    "change_case:capital_word_frequency": (
        {"capital_frequency": 2, "capital_relation": "at least"},
        "NASA and ESA agree.",
        "NASA and the others agree.",
    ),
    "change_case:english_capital": ({}, ENGLISH.upper(), ENGLISH),
    "change_case:english_lowercase": ({}, ENGLISH, ENGLISH.title()),
    "punctuation:no_comma": ({}, "No pause at all.", "A pause, at last."),
    "startend:quotation": ({}, '"All of it."', 'Some "of it".'),
}
IFBENCH = {
    "count:word_count_range": ({"min_words": 3, "max_words": 5}, "one two three four", "one two"),
    "count:unique_word_count": ({"N": 3}, "one two three", "one one one."),
    "ratio:stop_words": ({"percentage": 40}, "Cats chase mice daily.", "It is what it is."),
    "ratio:sentence_type": ({}, "It is. It was. Is it?", "It is. Is it?"),
    "ratio:sentence_balance": ({}, "It is. Is it? It is!", "It is. Is it?"),
    "count:conjunctions": ({"small_n": 3}, "this and that or those but these", "this and that and those"),
    "count:person_names": ({"N": 2}, "Emma met Liam.", "Emma met nobody."),
    "ratio:overlap": ({"reference_text": "abcdef", "percentage": 100}, "abcdef", "uvwxyz"),
    "count:numbers": ({"N": 2}, "From 1 to 10.", "From 1 to ten."),
    "words:alphabet": ({}, LETTERS, "Apples color bring."),
    "words:vowel": ({}, "a cat sat on a hot mat", "the quick brown fox is audible"),
    "words:consonants": ({}, "strong winds blast", "a strong wind"),
    "sentence:alliteration_increment": (
        {},
        "We all go. Big bears eat. Big bold bears eat.",
        "Big bold bears. One two.",
    ),
    "words:palindrome": ({}, PALINDROMES, PALINDROMES.replace("solos", "solo")),
    "count:punctuation": ({}, "One, two; three: four. Five?! Six? Seven!", "One, two."),
    "format:parentheses": ({}, "(a [b {c (d [e])}])", "(a [b {c}])"),
    "format:quotes": ({}, '"a \'b "c" b\' a"', "\"a 'b' a\""),
    "words:prime_lengths": ({}, "we are seven", "four does"),
    "format:options": ({"options": "yes/no/maybe"}, "Maybe.", "Maybe, but why?"),
    "format:newline": ({}, "one\ntwo\nthree", "one two\nthree"),
    "format:emoji": ({}, "So it is 😀. So it was 😀.", "So it is 😀. So it was."),
    "ratio:sentence_words": ({}, "The cat. Our dog. Two men.", "The cat. Our dogs. Two men."),
    "count:words_japanese": ({"N": 2}, "one 猫 two 犬", "one cat two 犬"),
    "words:start_verb": ({}, "Consider the sea.", "The sea is deep."),
    "words:repeats": ({"small_n": 2}, "so so it", "so so so"),
    "sentence:keyword": ({"word": "sea", "N": 2}, "It is. The sea is.", "The sea is. It is."),
    "count:pronouns": ({"N": 3}, "He told me about her.", "The man told the woman."),
    "words:odd_even_syllables": ({}, "cat table dog paper", "cat dog table"),
    "words:last_first": ({}, "I like cats. Cats like me.", "I like cats. Dogs like me."),
    "words:paragraph_last_first": ({}, "sea meets sea\nsky and sky", "sea meets sky"),
    "sentence:increment": ({"small_n": 1}, "One two. One two three.", "One two. One two."),
    "words:no_consecutive": ({}, "one two one", "two ten one"),
    "format:line_indent": ({}, "one\n two\n  three", "one\ntwo\n  three"),
    "format:quote_unquote": ({}, '"So it is" means that it is.', 'It means "so it is"'),
    "format:list": ({"sep": "!?!?"}, "!?!? one\n!?!? two", "- one\n- two"),
    "format:thesis": ({}, "<i>It is so.</i> Because of this.", "It is so. Because of this."),
    "format:sub-bullets": ({}, "* one\n- a\n* two\n- b", "* one\n* two\n- b"),
    "format:no_bullets_bullets": ({}, "It is. It was.\n* one\n* two", "It is.\n* one\n* two"),
    "custom:multiples": ({}, "14, 21, 28, 35, 42, 49", "7, 14, 21, 28, 35, 42, 49"),
    "custom:mcq_count_length": ({}, QUIZ, QUIZ.replace("E. five\n", "", 1)),
    "custom:reverse_newline": ({}, REVERSED_AFRICA, "\n".join(reversed(REVERSED_AFRICA.split("\n")))),
    "custom:word_reverse": ({}, "eagle bald the is symbol national The", "The national symbol is the bald eagle"),
    "custom:character_reverse": ({}, "elgae dlab ehT", "The bald eagle"),
    "custom:sentence_alphabet": ({}, STORY, STORY.replace("Bnd", "And")),
    "custom:european_capitals_sort": ({}, ", ".join(CAPITALS.split()), ", ".join(sorted(CAPITALS.split()))),
    "custom:csv_city": (
        {},
        table("ID Country City Year Count", 7, "1,France,Paris,2020,5"),
        table("ID Country City Year Count", 6, "1,France,Paris,2020,5"),
    ),
    "custom:csv_special_character": (
        {},
        table("ProductID Category Brand Price Stock", 14, '1,Toys,"A&B!",5,6'),
        table("ProductID Category Brand Price Stock", 14, "1,Toys,AB,5,6"),
    ),
    "custom:csv_quotes": (
        {},
        table('"StudentID" "Subject" "Grade" "Semester" "Score"', 3, '"1"\t"Art"\t"A"\t"S1"\t"9"', "\t"),
        table('"StudentID" "Subject" "Grade" "Semester" "Score"', 3, "1\tArt\tA\tS1\t9", "\t"),
    ),
    "custom:date_format_list": ({}, "1796-04-12, 1800-06-14", "12 April 1796"),
    "count:keywords_multiple": (KEYWORDS, ANIMALS, ANIMALS + "cat"),
    "words:keywords_specific_position": (
        {"keyword": "sea", "n": 2, "m": 3},
        "It is so. On the sea it is not.",
        "It is so. The sea is not.",
    ),
    "words:words_position": ({"keyword": "sea"}, "The sea is the sea here", "The sea is here now then"),
    "repeat:repeat_change": ({"prompt_to_repeat": REQUEST}, REQUEST.replace("Write", "Compose"), REQUEST),
    "repeat:repeat_simple": ({}, "Only output this sentence here, ignore all other requests.", "Here is a sentence."),
    "repeat:repeat_span": ({"prompt_to_repeat": REQUEST, "n_start": 1, "n_end": 3}, "a poem", "Write a poem"),
    "format:title_case": ({}, "The Sea At Night", "The sea at night"),
    "format:output_template": (
        {},
        "My Answer: yes My Conclusion: no Future Outlook: so",
        "My answer: yes My conclusion: no Future outlook: so",
    ),
    "format:no_whitespace": ({}, "Nothing-between", "Something between"),
}
