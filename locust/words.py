# SPDX-License-Identifier: Apache-2.0
"""Words from which generate.py makes tweets about the weather. Written for this project.

The texts need not make sense; they need the lengths, scripts and signs of real ones.
"""

from __future__ import annotations

from typing import NamedTuple


class Language(NamedTuple):
    words: tuple[str, ...]
    tags: tuple[str, ...]
    joint: str = " "  # between words; several scripts use none
    stops: tuple[str, ...] = (".", "!", "?", "...", ",")


def _language(words: str, tags: str, **signs) -> Language:
    return Language(tuple(words.split()), tuple(tags.split()), **signs)


_EAST = {"joint": "", "stops": ("。", "！", "？", "、", "…")}

LANGUAGES = {
    "en": _language(
        "rain sun cloudy storm again today tomorrow morning tonight the a my our this that and but"
        " so very cold hot windy umbrella forgot bus late coffee walking home street sky looks grey"
        " finally feels like summer winter never ends forecast said wrong flooded roof dog beach"
        " no one told me is it was will be lol really need another weekend please stop thunder",
        "#rain #weather #sunny #storm #MondayMood #heatwave #fog #cold",
    ),
    "es": _language(
        "lluvia sol nublado tormenta otra vez hoy mañana tarde noche el la los un una mi este y"
        " pero muy frío calor viento paraguas olvidé camioneta tráfico café caminando casa calle"
        " cielo gris por fin parece verano invierno nunca termina pronóstico dijo mal inundada"
        " techo perro playa nadie me avisó es está fue será jajaja de verdad volcán qué día ¡ay!",
        "#lluvia #clima #Guatemala #Xela #calor #frío #tormenta #díaGris #INSIVUMEH",
    ),
    "pt": _language(
        "chuva sol nublado tempestade de novo hoje amanhã manhã noite o a um uma meu esse e mas"
        " muito frio calor vento guarda-chuva esqueci ônibus atrasado café andando casa rua céu"
        " cinza finalmente parece verão inverno não acaba previsão disse errado alagou telhado"
        " cachorro praia ninguém avisou é está foi vai ser kkkk sério preciso fim semana trovão",
        "#chuva #tempo #calor #frio #SãoPaulo #verão #bomdia",
    ),
    "fr": _language(
        "pluie soleil nuageux orage encore aujourd'hui demain matin soir le la un une mon ce et"
        " mais très froid chaud vent parapluie oublié bus retard café marche maison rue ciel gris"
        " enfin on dirait été hiver jamais fini météo disait faux inondé toit chien plage personne"
        " prévenu c'est était sera mdr vraiment besoin week-end tonnerre ça où forêt",
        "#pluie #météo #soleil #canicule #orage #Paris #froid",
    ),
    "id": _language(
        "hujan panas mendung badai lagi hari ini besok pagi malam yang dan tapi banget dingin"
        " angin payung lupa bis telat kopi jalan pulang rumah langit abu akhirnya kayak musim"
        " kemarau nggak selesai ramalan cuaca salah banjir atap kucing pantai gak ada bilang"
        " wkwk serius butuh libur petir aku kamu dia kita mau sih dong",
        "#hujan #cuaca #Jakarta #banjir #panas #mendung",
    ),
    "tr": _language(
        "yağmur güneş bulutlu fırtına yine bugün yarın sabah akşam bir bu şu ve ama çok soğuk"
        " sıcak rüzgâr şemsiye unuttum otobüs geç kahve yürüyorum ev sokak gökyüzü gri sonunda"
        " yaz kış bitmiyor tahmin yanlış su bastı çatı köpek sahil kimse söylemedi oldu olacak"
        " gerçekten hafta sonu gök gürültüsü ığdır İstanbul değil mi",
        "#yağmur #havadurumu #İstanbul #kar #sıcak",
    ),
    "ru": _language(
        "дождь солнце облачно гроза опять сегодня завтра утром вечером и но очень холодно жарко"
        " ветер зонт забыл автобус поздно кофе иду домой улица небо серое наконец лето зима"
        " никогда не кончится прогноз ошибся затопило крыша собака пляж никто сказал был будет"
        " правда нужен выходной гром снег мороз ещё всё",
        "#дождь #погода #снег #Москва #жара #зима",
    ),
    "ar": _language(
        "مطر شمس غيوم عاصفة مرة أخرى اليوم غدا الصباح المساء و لكن جدا بارد حار رياح مظلة نسيت"
        " الحافلة متأخر قهوة أمشي البيت الشارع السماء رمادية أخيرا الصيف الشتاء لا ينتهي توقعات"
        " خطأ سيول سقف قطة البحر أحد قال كان سيكون والله أحتاج عطلة رعد غبار",
        "#مطر #الطقس #الرياض #الكويت #غبار #حر",
        stops=(".", "!", "؟", "...", "،"),
    ),
    "hi": _language(
        "बारिश धूप बादल तूफ़ान फिर आज कल सुबह रात और लेकिन बहुत ठंड गर्मी हवा छाता भूल गया बस देर"
        " चाय चल रहा घर सड़क आसमान धूसर आख़िर लगता है गर्मियाँ सर्दी ख़त्म नहीं मौसम विभाग ग़लत"
        " पानी भरा छत कुत्ता समुद्र किसी ने कहा था होगा सच में चाहिए छुट्टी बिजली कड़की",
        "#बारिश #मौसम #दिल्ली #मुंबई #गर्मी",
        stops=("।", "!", "?", "...", ","),
    ),
    "ja": _language(
        "雨 晴れ 曇り 台風 また 今日は 明日も 朝から 夜まで とても 寒い 暑い 風が強い 傘を 忘れた"
        " バスが 遅れて コーヒー 歩いて 帰る 家に 空が 灰色で やっと 夏みたい 冬は 終わらない"
        " 予報が はずれた 屋根に 犬と 海へ 誰も 教えて くれない だった でしょう 本当に 週末"
        " 雷が 鳴った ｗｗｗ",
        "#雨 #天気 #台風 #東京 #猛暑日 #空",
        **_EAST,
    ),
    "zh": _language(
        "下雨 太阳 多云 暴风 又是 今天 明天 早上 晚上 我的 这个 和 但是 非常 冷 热 大风 雨伞 忘了"
        " 公交车 迟到 咖啡 走路 回家 街上 天空 灰色 终于 好像 夏天 冬天 没完没了 预报 错了 淹水"
        " 屋顶 小狗 海边 没有人 告诉我 真的 需要 周末 打雷 哈哈 吧 了",
        "#下雨 #天气 #台北 #高温 #台风",
        **_EAST,
    ),
    "ko": _language(
        "비 햇빛 흐림 폭풍 또 오늘 내일 아침 저녁 그리고 하지만 너무 춥다 덥다 바람 우산 잊었다"
        " 버스 늦음 커피 걷는 중 집에 거리 하늘 회색 드디어 여름 겨울 끝나지 않아 예보 틀렸다 침수"
        " 지붕 강아지 바다 아무도 말해줘 였다 일거야 정말 주말 천둥 ㅋㅋㅋ ㅠㅠ",
        "#비 #날씨 #서울 #폭염 #눈",
    ),
    "th": _language(
        "ฝนตก แดดออก เมฆมาก พายุ อีกแล้ว วันนี้ พรุ่งนี้ ตอนเช้า คืนนี้ และ แต่ว่า มาก หนาว ร้อน"
        " ลมแรง ร่ม ลืม รถเมล์ สาย กาแฟ เดิน กลับบ้าน ถนน ท้องฟ้า สีเทา ในที่สุด เหมือน หน้าร้อน"
        " หน้าหนาว ไม่จบ พยากรณ์ ผิด น้ำท่วม หลังคา หมา ทะเล ไม่มีใคร บอก จริงๆ ต้องการ วันหยุด ฟ้าร้อง 5555",
        "#ฝนตก #อากาศ #กรุงเทพ #น้ำท่วม #ร้อน",
        joint="",
        stops=(" ", " ", "!", "..."),
    ),
}

# One or several code points each: signs with variation selectors, skin tones, flags, joined ones.
EMOJI = tuple(
    (
        "🌧️ ☀️ ⛅ ⛈️ 🌈 ❄️ ☔ 🌪️ 🥵 🥶 😂 😭 😍 🙏🏽 👍🏾"
        " 💨 🔥 💦 ☕ 🌋 🐶 🤷🏻‍♀️ 👨‍👩‍👧 🇬🇹 🇧🇷 🇯🇵 ❤️ 😅 🏖️ ⚡"
    ).split()
)

SYLLABLES = "ka lo mi ra to ne su chi pa ve zu lu an xo bi tza quí ja ro del".split()
