"""The words the firm is made of.

People, companies and addresses are invented; telephone numbers are from the ranges the Bundesnetzagentur keeps free for
films, mail addresses from a domain reserved for examples.
"""

FIRST_NAMES = (
    *("Jürgen", "Käthe", "Günther", "Zoë", "Sören", "Bärbel", "René", "Dörte", "Björn", "Gülşen", "Jörg", "Anneliese"),
    *("Heinz-Günter", "Öznur", "Ulrike", "Matthäus", "Cäcilia", "Rüdiger"),
)
LAST_NAMES = (
    *("Groß", "Jäger", "Weißbrodt", "Süßmilch", "Köhlmann", "Ölschläger", "von der Höh", "Krämer-Lüth", "Dörfler"),
    *("Strauß", "Böhmke", "Fährmann", "Nüßlein", "Häußler", "Zöllinger", "Straßmeier", "Brühl", "Käßbohm"),
)
COMPANIES = (
    *("Grünwald Immobilien GmbH", "Hausverwaltung Schönfeld & Söhne KG", "Wohnbau Südhöhe eG"),
    *("Erbengemeinschaft Öttermann", "Dr. Weißenhaupt Vermögensverwaltung GbR", "Mühlbachtal Bauträger AG"),
    *("Baugenossenschaft Lärchenwäldchen eG", "Stiftung Bürgerhöfe", "Röhm & Käferlein Grundbesitz OHG"),
)
STREETS = (
    *(
        "Lärchenstraße",
        "Mühlgäßchen",
        "Königsbrückenweg",
        "Am Hüttengraben",
        "Schloßgartenallee",
        "Straße am Föhrenhang",
    ),
    *("Bürgermeister-Öhler-Platz", "Fährgasse", "Weißdornweg", "Grünspechtstraße", "Nußbaumzeile", "Höllentalstraße"),
)
PLACES = (("80331", "München"), ("90402", "Nürnberg"), ("97070", "Würzburg"), ("91054", "Erlangen"), ("90762", "Fürth"))
KLAGE_STATES = ("offen", "laufend", "laufend", "abgeschlossen")
PHONE_PREFIXES = ("+498999998", "+493023125", "+494066969")
MAIL_DOMAIN = "example.org"

_ASCII = {"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "ë": "e", "é": "e", "ş": "s", " ": ".", "&": "und"}


def mail_name(name: str) -> str:
    """Write a name the way it stands in a mail address."""
    spelled = "".join(_ASCII.get(letter, letter) for letter in name.lower())
    return ".".join(part for part in spelled.split(".") if part)
