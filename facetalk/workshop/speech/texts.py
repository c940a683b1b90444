"""Texts for synthetic speech: everyday sentences in many languages, and common English words."""

from __future__ import annotations

SENTENCES: dict[str, tuple[str, ...]] = {
    "de": (
        "Der alte Mann geht langsam über die Brücke und schaut auf das Wasser",
        "Morgen früh fahren wir mit dem Zug nach München",
        "Könnten Sie bitte das Fenster öffnen, es ist sehr warm hier",
        "Die Kinder spielen fröhlich im Garten hinter dem Haus",
        "Pünktlich um fünf Uhr beginnt die Vorlesung über Physik",
        "Schöne grüne Bäume wachsen am Ufer des Flusses",
    ),
    "fr-fr": (
        "Bonjour, je voudrais une tasse de café avec un peu de lait",
        "La petite fille mange une pomme rouge dans le jardin",
        "Nous partirons demain matin pour la montagne",
        "Il pleut beaucoup en automne dans cette région",
        "Le vieux professeur parle doucement de la musique",
        "Où est-ce que tu as mis mes lunettes bleues?",
    ),
    "es": (
        "Buenos días, me gustaría comprar un billete para Madrid",
        "Mi hermano vive en una casa grande cerca del mar",
        "El perro corre rápido por la playa vacía",
        "Mañana vamos a visitar el museo con nuestros amigos",
        "La lluvia empezó a caer después de la cena",
        "Por favor, abre la ventana porque hace mucho calor",
    ),
    "it": (
        "Buongiorno, vorrei un bicchiere di acqua fresca",
        "Mia sorella abita vicino alla stazione centrale",
        "Il gatto nero dorme sopra la sedia verde",
        "Domani mattina andiamo al mercato con la bicicletta",
        "La professoressa spiega la storia della città antica",
        "Quando piove preferisco leggere un buon libro",
    ),
    "ru": (
        "Добрый день, я хочу купить билет до Москвы",
        "Моя бабушка живёт в маленькой деревне у реки",
        "Завтра утром мы поедем на море всей семьёй",
        "Большая собака бежит по пустой улице",
        "Учитель медленно объясняет новый урок",
        "Пожалуйста, закройте окно, потому что холодно",
    ),
    "cmn": (
        "今天天气很好我们去公园散步吧",
        "请问火车站怎么走",
        "我的朋友明天要来北京看我",
        "妈妈在厨房里做饭爸爸在看报纸",
        "这本书非常有意思你应该读一读",
    ),
    "ar": (
        "صباح الخير كيف حالك اليوم",
        "ذهب الولد إلى المدرسة مع أخيه الكبير",
        "أعلن الرئيس عن خطة جديدة للحكومة",
        "في المساء نجلس معا ونشرب الشاي",
        "وصل الوزير إلى العاصمة بعد ظهر أمس",
        "قالت الدولة إن القوات وصلت إلى الحدود",
    ),
    "pl": (
        "Dzień dobry, chciałbym kupić bilet do Warszawy",
        "Moja babcia mieszka w małym domu nad rzeką",
        "Jutro rano pojedziemy razem nad morze",
        "Szczęśliwe dzieci bawią się w ogrodzie",
        "Proszę zamknąć okno, bo jest zimno",
    ),
    "pt-br": (
        "Bom dia, eu gostaria de uma xícara de café",
        "Minha irmã mora perto da praia com dois gatos",
        "Amanhã vamos viajar para o interior",
        "O professor explicou a lição com muita paciência",
        "A chuva caiu durante toda a noite",
    ),
    "hi": (
        "नमस्ते आप कैसे हैं",
        "मेरा भाई कल बाजार जाएगा",
        "यह किताब बहुत अच्छी है",
        "बच्चे बगीचे में खेल रहे हैं",
        "आज मौसम बहुत सुहावना है",
    ),
    "tr": (
        "Günaydın, bugün hava çok güzel",
        "Kardeşim büyük bir evde yaşıyor",
        "Yarın sabah denize gideceğiz",
        "Öğretmen yeni dersi yavaşça anlatıyor",
        "Lütfen pencereyi açın, içerisi çok sıcak",
    ),
    "ko": (
        "안녕하세요 오늘 날씨가 정말 좋네요",
        "내 친구는 내일 서울에 올 거예요",
        "어머니는 부엌에서 저녁을 만들고 계십니다",
    ),
}
"""By espeak-ng's voice."""

_COMMON = """
the of and to a in is you that it he was for on are with as his they be at one have this from or had by
but some what there we can out other were all your when up use word how said an each she which do their
time if will way about many then them would write like so these her long make thing see him two has look
more day could go come did my sound no most number who over know water than call first people may down
side been now find any new work part take get place made live where after back little only round man year
came show every good me give our under name very through just form much great think say help low line
before turn cause same mean differ move right boy old too does tell sentence set three want air well also
play small end put home read hand port large spell add even land here must big high such follow act why
ask men change went light kind off need house picture try us again animal point mother world near build
self earth father
"""

COMMON_WORDS = tuple(_COMMON.split())
